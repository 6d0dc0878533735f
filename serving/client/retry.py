"""Which failed calls are made again, and when."""

import dataclasses
import itertools
import random
import time
from typing import TypeVar

from serving.client.call import Call, Pause, Steps
from serving.client.errors import ServerUnavailableError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter: the n-th pause is drawn uniformly from 0 to
    `min(initial_pause_s * 2^(n-1), max_pause_s)`, so that clients that failed together do not come back together.

    Args:
      max_attempts: calls in all, the first included.
      initial_pause_s: longest first pause.
      max_pause_s: longest pause.
    """

    max_attempts: int = 4
    initial_pause_s: float = 0.05
    max_pause_s: float = 1.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"`max_attempts` must be at least 1. Received: max_attempts={self.max_attempts}")
        if not 0 <= self.initial_pause_s <= self.max_pause_s:
            raise ValueError(
                f"`initial_pause_s` must be from 0 to `max_pause_s`. "
                f"Received: initial_pause_s={self.initial_pause_s}, max_pause_s={self.max_pause_s}"
            )

    def pause_s(self, num_failures: int) -> float:
        """Draws the pause after some failures in a row, at least one."""
        longest_s = min(self.initial_pause_s * 2.0 ** min(num_failures - 1, 60), self.max_pause_s)
        return random.uniform(0, longest_s)


def with_retries(call: Call[T], policy: RetryPolicy) -> Steps[T]:
    """Makes a call, again while the server is unavailable and the call's time is not over.

    Other failures are not retried: what took too long or was refused once is not better the second time.

    Args:
      call: to make.
      policy: how often and when.

    Raises:
      RecommendError: of the last attempt.
    """
    for num_failures in itertools.count(1):
        try:
            return (yield call)
        except ServerUnavailableError:
            pause_s = policy.pause_s(num_failures)
            if num_failures >= policy.max_attempts or time.monotonic() + pause_s >= call.end_s:
                raise
        yield Pause(pause_s)
    raise AssertionError("never reached")
