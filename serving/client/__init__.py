"""The client of a recommender cascade behind a model server, for threads and for asyncio."""

from serving.client.async_recommender_client import AsyncRecommenderClient
from serving.client.config import ClientConfig
from serving.client.recommendations import Recommendations
from serving.client.recommender_client import RecommenderClient
from serving.client.request import Request
from serving.client.retry import RetryPolicy
from serving.client.tls import TlsConfig

__all__ = [
    "AsyncRecommenderClient",
    "ClientConfig",
    "Recommendations",
    "RecommenderClient",
    "Request",
    "RetryPolicy",
    "TlsConfig",
]
