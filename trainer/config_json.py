"""JSON text of the project's frozen dataclasses, and back."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import dacite

from trainer.features import Categorical, Feature, Hashed, Numeric, Timestamp
from trainer.tuning.config import Choice, Float, Int, Range

T = TypeVar("T")

_FEATURES = {"categorical": Categorical, "hashed": Hashed, "numeric": Numeric, "timestamp": Timestamp}
_RANGES = {"float": Float, "int": Int, "choice": Choice}
_KINDS = {**_FEATURES, **_RANGES}


def to_json(value: Any) -> str:
    """Writes a dataclass as JSON; `from_json` of its class reads it back equal.

    Args:
      value: an instance of a dataclass of numbers, strings, tuples and such dataclasses. A feature of a
        `FeatureSpec` gets the key `kind`, `"categorical"`, `"hashed"`, `"numeric"` or `"timestamp"`; so does a range of
        a search space, `"float"`, `"int"` or `"choice"`.

    Returns:
      One line of JSON text with sorted keys.
    """
    return json.dumps(to_plain(value), sort_keys=True)


def to_plain(value: Any) -> Any:
    """The value as dictionaries, lists, numbers and strings, as `to_json` writes it."""
    if dataclasses.is_dataclass(value):
        plain = {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        kinds = [kind for kind, cls in _KINDS.items() if type(value) is cls]
        return plain | ({"kind": kinds[0]} if kinds else {})
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_json(cls: type[T], text: str) -> T:
    """Reads what `to_json` wrote. Keys that are left out take their defaults; unknown keys are refused.

    Args:
      cls: the dataclass to build.
      text: JSON text of an object.

    Returns:
      An instance of `cls`.

    Raises:
      ValueError: the text is no JSON object, or a key is unknown, missing or of another type.
    """
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{cls.__name__} must be JSON text. Received: {text[:80]!r} ({error})") from error
    return from_plain(cls, plain)


def from_plain(cls: type[T], plain: Any) -> T:
    """Builds the dataclass from what `to_plain` returns; raises as `from_json` does."""
    if not isinstance(plain, dict):
        raise ValueError(f"{cls.__name__} must be a JSON object. Received: {plain!r}")
    hooks: dict[Any, Callable[[Any], Any]] = {
        Feature: lambda plain: _member("feature", "name", _FEATURES, plain),
        Range: lambda plain: _member("range", "key", _RANGES, plain),
        float: _number,
    }
    try:
        return dacite.from_dict(cls, plain, dacite.Config(strict=True, cast=[tuple], type_hooks=hooks))
    except dacite.DaciteError as error:
        raise ValueError(f"{cls.__name__}: {error}") from error


def _member(what: str, name: str, kinds: Mapping[str, type], plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    kind = str(plain.get("kind"))
    if kind not in kinds:
        raise ValueError(f"The `kind` of {what} {plain.get(name)!r} must be one of {sorted(kinds)}. Received: {kind!r}")
    return from_plain(kinds[kind], {key: value for key, value in plain.items() if key != "kind"})


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
