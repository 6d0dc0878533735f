"""The log of served requests that the pipeline reads back."""

from serving.request_log.request_log import RequestLog
from serving.request_log.served_request import ServedRequest

__all__ = ["RequestLog", "ServedRequest"]
