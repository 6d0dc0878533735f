"""KuaiRand-Pure: real exposures of short videos with feedback, one request per user and day."""

from sources.kuairand.adapter import KuaiRandAdapter

__all__ = ["KuaiRandAdapter"]
