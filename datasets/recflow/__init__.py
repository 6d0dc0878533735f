"""RecFlow: the full-funnel logs of a short-video recommender."""

from datasets.recflow.adapter import RecFlowAdapter

__all__ = ["RecFlowAdapter"]
