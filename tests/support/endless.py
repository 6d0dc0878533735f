"""What `benchmarks.shared.measure` measures when nothing may come of it."""

import threading


def build(case, small):
    """Returns a function that never ends."""
    return threading.Event().wait
