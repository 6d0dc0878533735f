"""Dotted `KEY=VALUE` overrides of a frozen configuration, with the types that its fields declare."""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from trainer.config.json_text import has_kind

T = TypeVar("T")


def override(config: T, values: Mapping[str, str]) -> T:
    """Returns a copy of a dataclass with some values replaced.

    Args:
      config: a frozen dataclass; it may nest dataclasses, tuples of them and dictionaries.
      values: dotted key (`"trainer.epochs"`, `"trainer.stages.1.capacity"`, `"adapter.options.path"`) to the text of
        the value. A tuple of plain values is separated by commas, `none` is `None`. Where a field takes one of several
        classes, its value is the `kind` of one, which takes the class's defaults unless it is that kind already.

    Raises:
      ValueError: the key does not exist (the message names the nearest one), or the value is of another type.
    """
    known = list(plain_values(config))
    return _replace(config, type(config), [(key.split("."), key, text) for key, text in values.items()], known)


def plain_values(config: Any, prefix: str = "") -> dict[str, Any]:
    """Returns the plain values of a configuration, and the kinds of its parts, by dotted key."""
    found: dict[str, Any] = {}
    if has_kind(type(config)) and prefix:
        found[prefix.removesuffix(".")] = config.kind
    if dataclasses.is_dataclass(config):
        items = [(field.name, getattr(config, field.name)) for field in dataclasses.fields(config)]
    elif isinstance(config, Mapping):
        items = list(config.items())
    elif isinstance(config, tuple) and config and dataclasses.is_dataclass(config[0]):
        items = [(str(index), item) for index, item in enumerate(config)]
    else:
        return {prefix.removesuffix("."): config}
    for name, value in items:
        found |= plain_values(value, f"{prefix}{name}.")
    return found


def override_text(value: Any) -> str:
    """Returns the text that `override` reads as this plain value, or as this tuple of them."""
    if isinstance(value, tuple):
        return ",".join(map(override_text, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


_Override = tuple[list[str], str, str]
"""The rest of the path, the whole key and the text of the value."""


def _replace(value: Any, hint: Any, overrides: list[_Override], known: list[str]) -> Any:
    """Replaces all at once, so that fields which must fit each other may be set in any order."""
    new: dict[str, Any] = {}
    below: dict[str, list[_Override]] = {}
    for path, key, text in overrides:
        if path:
            below.setdefault(path[0], []).append((path[1:], key, text))
        elif has_kind(type(value)) and text == value.kind:
            continue
        else:
            value = _parse(hint, text, key)
    if not below:
        return value
    hints = typing.get_type_hints(type(value)) if dataclasses.is_dataclass(value) else {}
    for name, group in below.items():
        path, key, text = group[0]
        if dataclasses.is_dataclass(value) and name in {field.name for field in dataclasses.fields(value)}:
            new[name] = _replace(getattr(value, name), hints[name], group, known)
        elif isinstance(value, Mapping) and not path:
            new[name] = _parse_free(text)
        elif isinstance(value, tuple) and name.isdecimal() and int(name) < len(value):
            new[name] = _replace(value[int(name)], type(value[int(name)]), group, known)
        elif has_kind(type(value)):
            names = ", ".join(field.name for field in dataclasses.fields(value))
            raise ValueError(f"There is no key `{key}`: {value.kind!r} has {names or 'no settings'}")
        else:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise ValueError(f"There is no key `{key}`. Did you mean `{nearest[0]}`?")
    if isinstance(value, Mapping):
        return {**value, **new}
    if isinstance(value, tuple):
        return tuple(new.get(str(index), item) for index, item in enumerate(value))
    return dataclasses.replace(value, **new)


def _parse(hint: Any, text: str, key: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if all(map(has_kind, arguments)) and text in (kinds := {member.kind: member for member in arguments}):
        return kinds[text]()
    if origin in (types.UnionType, typing.Union):
        if type(None) in arguments and text.lower() == "none":
            return None
        candidates = [argument for argument in arguments if argument is not type(None)]
        for candidate in sorted(candidates, key=lambda candidate: candidate is str):
            try:
                return _parse(candidate, text, key)
            except ValueError:
                continue
    elif origin is typing.Literal and text in arguments:
        return text
    elif origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_parse(arguments[0], part.strip(), key) for part in text.split(",") if part.strip())
    elif hint is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    elif hint is str:
        return text
    elif hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            pass
    raise ValueError(f"`{key}` must be {_describe(hint)}. Received: {key}={text!r}")


def _parse_free(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _describe(hint: Any) -> str:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if typing.get_origin(hint) is tuple:
        return f"{_describe(arguments[0])} values separated by commas"
    if arguments and all(map(has_kind, arguments)):
        return f"one of {', '.join(repr(argument.kind) for argument in arguments)}"
    if arguments:
        return " or ".join(_describe(argument) for argument in arguments)
    names = {int: "an integer", float: "a number", bool: "true or false", str: "text", type(None): "none"}
    return names.get(hint, f"set by the keys below it ({getattr(hint, '__name__', hint)})")
