"""Requests that a client served and logged, with the feedback that came: the way from serving back to training."""

from sources.request_log.adapter import RequestLogAdapter

__all__ = ["RequestLogAdapter"]
