"""Checks that the configuration classes share."""

import math
from typing import Any, get_args


def check_positive(config: Any, *names: str) -> None:
    """Raises ValueError unless each named field is positive and finite."""
    for name in names:
        if not 0 < getattr(config, name) < math.inf:
            raise ValueError(f"`{name}` must be positive. Received: {name}={getattr(config, name)}")


def check_not_negative(config: Any, *names: str) -> None:
    """Raises ValueError unless each named field is zero or more, finite, or `None`."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not 0 <= value < math.inf:
            raise ValueError(f"`{name}` must not be negative. Received: {name}={value}")


def check_kind(config: Any, name: str, kinds: Any) -> None:
    """Raises ValueError unless the named field is one of a `Literal`'s values."""
    if getattr(config, name) not in get_args(kinds):
        raise ValueError(f"`{name}` must be one of {get_args(kinds)}. Received: {name}={getattr(config, name)!r}")
