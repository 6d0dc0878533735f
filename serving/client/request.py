"""One request for recommendations."""

import dataclasses
import numbers
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from serving.client.errors import InvalidRequestError

_MAX_INT32 = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Request:
    """One user at one moment asking for items. Whatever is left out counts as missing.

    Args:
      user: user id; `None` for a user that has none.
      context: value of each scalar feature by name. `request_time_ms`, Unix milliseconds, is now by default.
      history: item ids, oldest first; or, for models that read more of an event, columns of equal length, the ids
        as `item_id`: `{"item_id": ["i3", "i7"], "grade": [2, 1]}`.
      k: items wanted, at least 0. Answers are shorter where the last stage passes on fewer.
      exclude: ids of items that must not be recommended.
      filters: by item feature that the release filters by, the values of which an item must have one; all filters must
        be met.
      num_probed_leaves: leaves of an approximate index to search; 0 leaves it to the release.
      request_id: of the request log, to which feedback is joined; a random one by default.

    Raises:
      InvalidRequestError: a value is of another type or out of range.
    """

    user: str | None = None
    context: Mapping[str, str | int | float] = dataclasses.field(default_factory=dict)
    history: Sequence[str] | Mapping[str, Sequence[Any]] = ()
    k: int = 10
    exclude: Sequence[str] = ()
    filters: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    num_probed_leaves: int = 0
    request_id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if not (self.user is None or isinstance(self.user, str)):
            raise InvalidRequestError(f"`user` must be a string. Received: {self.user!r}")
        for name in ("context", "filters"):
            if not isinstance(getattr(self, name), Mapping):
                raise InvalidRequestError(
                    f"`{name}` must be a mapping of values by name. Received: {getattr(self, name)!r}"
                )
        sequences = {f"filters[{name!r}]": values for name, values in self.filters.items()}
        if isinstance(self.history, Mapping):
            sequences |= {f"history[{name!r}]": values for name, values in self.history.items()}
        else:
            sequences["history"] = self.history
        for name, value in {**sequences, "exclude": self.exclude}.items():
            if not _is_sequence(value):
                raise InvalidRequestError(f"`{name}` must be a sequence. Received: {value!r}")
        for name, values in self.filters.items():
            if not len(values) or any(isinstance(value, str) and not value for value in values):
                raise InvalidRequestError(
                    f"`filters[{name!r}]` must hold at least one value, none of them empty. Received: {values!r}"
                )
        if not isinstance(self.k, numbers.Integral) or self.k < 0:
            raise InvalidRequestError(f"`k` must be a whole number, at least 0. Received: k={self.k!r}")
        number = self.num_probed_leaves
        if not isinstance(number, numbers.Integral) or not 0 <= number <= _MAX_INT32:
            raise InvalidRequestError(
                f"`num_probed_leaves` must be a whole number from 0 to {_MAX_INT32}. "
                f"Received: num_probed_leaves={number!r}"
            )
        if not isinstance(self.request_id, str) or not self.request_id:
            raise InvalidRequestError(f"`request_id` must be a string. Received: {self.request_id!r}")


def _is_sequence(value: object) -> bool:
    """Whether it is a list of values or like one: no text, no mapping, and no array of other than one axis."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Collection):
        return False
    return getattr(value, "ndim", 1) == 1
