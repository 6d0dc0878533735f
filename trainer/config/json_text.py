"""JSON text of the project's frozen dataclasses, and back."""

import dataclasses
import functools
import json
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args, get_type_hints

import dacite

T = TypeVar("T")


def to_json(value: Any) -> str:
    """Writes a dataclass as JSON; `from_json` of its class reads it back equal.

    Args:
      value: an instance of a dataclass of numbers, strings, tuples and such dataclasses. Where a field takes one of
        several dataclasses, each says which it is by a class variable `kind`, which becomes a key.

    Returns:
      One line of JSON text with sorted keys.
    """
    return json.dumps(to_plain(value), sort_keys=True)


def to_plain(value: Any) -> Any:
    """The value as dictionaries, lists, numbers and strings, as `to_json` writes it."""
    if dataclasses.is_dataclass(value):
        plain = {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        cls: Any = type(value)
        return plain | ({"kind": cls.kind} if has_kind(cls) else {})
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_json(cls: type[T], text: str, *, expected_format: int | None = None) -> T:
    """Reads what `to_json` wrote. Keys that are left out take their defaults; unknown keys are refused.

    Args:
      cls: the dataclass to build.
      text: JSON text of an object.
      expected_format: the number that its key `format` must hold, 1 if it has none; `None` does not look at it.

    Returns:
      An instance of `cls`.

    Raises:
      ValueError: the text is no JSON object, or a key is unknown, missing or of another type. Of another format the
        message says what to do.
    """
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{cls.__name__} must be JSON text. Received: {text[:80]!r} ({error})") from error
    if expected_format is not None and isinstance(plain, dict):
        _check_format(plain.get("format", 1), expected_format)
    return from_plain(cls, plain)


def from_plain(cls: type[T], plain: Any) -> T:
    """Builds the dataclass from what `to_plain` returns; raises as `from_json` does."""
    if not isinstance(plain, dict):
        raise ValueError(f"{cls.__name__} must be a JSON object. Received: {plain!r}")
    if has_kind(cls) and plain.get("kind") == cls.kind:  # type: ignore[attr-defined]
        plain = {key: value for key, value in plain.items() if key != "kind"}
    hashable: Any = cls  # as mypy does not see
    hooks: dict[Any, Callable[[Any], Any]] = {float: _number, **_choices(hashable)}
    try:
        return dacite.from_dict(cls, plain, dacite.Config(strict=True, cast=[tuple], type_hooks=hooks))
    except dacite.DaciteError as error:
        raise ValueError(f"{cls.__name__}: {error}") from error


def _check_format(found: Any, expected: int) -> None:
    if found != expected:
        is_older = isinstance(found, int) and found < expected
        way = "Train again with this version of lcron" if is_older else "Install a newer version of lcron"
        raise ValueError(f"`format` must be {expected}. Received: format={found}. {way}")


def has_kind(cls: Any) -> bool:
    """Whether it is a dataclass with a class variable `kind`, not a field of that name."""
    is_dataclass = dataclasses.is_dataclass(cls)
    return is_dataclass and hasattr(cls, "kind") and "kind" not in [field.name for field in dataclasses.fields(cls)]


@functools.cache
def _choices(cls: Any) -> dict[Any, Callable[[Any], Any]]:
    """Returns, for each union of classes with a `kind` in a dataclass and those that it holds, how to read one."""
    found: dict[Any, Callable[[Any], Any]] = {}
    hints: list[Any] = [cls]
    for hint in hints:  # which grows
        members = get_args(hint)
        if isinstance(hint, types.UnionType) and all(map(has_kind, members)):
            found[hint] = functools.partial(_one_of, {member.kind: member for member in members})
        within = get_type_hints(hint).values() if dataclasses.is_dataclass(hint) else members
        hints += [each for each in within if each not in hints]
    return found


def _one_of(classes: Mapping[str, type], plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    kind = plain.get("kind")
    if not isinstance(kind, str) or kind not in classes:
        rest = {key: value for key, value in plain.items() if key != "kind"}
        raise ValueError(f"`kind` must be one of {sorted(classes)}. Received: {kind!r}, with {rest}")
    return from_plain(classes[kind], {key: value for key, value in plain.items() if key != "kind"})


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
