"""RecFlow: the full-funnel logs of a short-video recommender."""

from sources.recflow.adapter import RecFlowAdapter

__all__ = ["RecFlowAdapter"]
