"""Waiting for what must come, on a machine of any speed."""

import time
from collections.abc import Callable

PATIENCE_S = 900.0
"""Limit of a call, a process or a wait that no machine is too slow for; only a hang reaches it."""


def wait_until(condition: Callable[[], object]) -> None:
    """Returns once `condition()` is true.

    Raises:
      TimeoutError: it was not within `PATIENCE_S`.
    """
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"The condition did not hold within {PATIENCE_S:g} s")
        time.sleep(0.02)
