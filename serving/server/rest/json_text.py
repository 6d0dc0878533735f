"""JSON as TF Serving reads and writes it."""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.server.errors import ServingError, invalid_argument

_SHOWN = 1024  # characters of a value in a message

_PARSE_ERRORS = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting ',' delimiter": "Missing a comma or a closing bracket after an element.",
    "Extra data": "The document root must not be followed by other values.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid control character at": "Invalid encoding in string.",
}
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)


def parse_object(body: bytes) -> dict[str, Any]:
    """Parses a JSON object; NaN, Infinity and -Infinity are numbers.

    Raises:
      ServingError: INVALID_ARGUMENT where it is none.
    """
    if not body:
        raise _parse_error("The document is empty")
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text)
    except json.JSONDecodeError as error:
        reason = _PARSE_ERRORS.get(error.msg, f"{error.msg}.")
        if not body.strip():
            reason = "The document is empty."
        raise _parse_error(f"{reason} at offset: {error.pos}") from None
    except UnicodeDecodeError as error:
        raise _parse_error(f"Invalid encoding in string. at offset: {error.start}") from None
    except (RecursionError, ValueError):  # nested too deeply; a number of thousands of digits
        raise _parse_error("Terminate parsing due to Handler error. at offset: 0") from None
    half = next((escape for escape in _ESCAPE.finditer(text) if escape["half"]), None)
    if half is not None:  # which is no character, and cannot be written in an answer
        raise _parse_error(f"The surrogate pair in string is invalid. at offset: {half.start()}")
    if not isinstance(value, dict):
        raise format_error(value, "Is not object")
    return value


def shown(value: Any) -> str:
    """Returns a value for a message."""
    text = json.dumps(value, indent=4, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def type_name(value: Any) -> str:
    """Returns the JSON type of a value: `Number`, `String`, ..."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    kinds = ((dict, "Object"), (list, "Array"), (str, "String"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "Number")


def format_error(value: Any, problem: str) -> ServingError:
    """Returns the error of a value that is not formed as it must be."""
    return invalid_argument(f"JSON Value: {shown(value)} {problem}")


def write_string(text: bytes | str) -> str:
    """Returns a JSON string; bytes that are no UTF-8 stay as they are (`encode` puts them back)."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return json.dumps(text, ensure_ascii=False)


def write_decimal(value: np.floating) -> str:
    """Returns the shortest of `%g` and full precision that reads back as the same number, always as a decimal."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{value:g}"
    if type(value)(text) != value:
        text = f"{value:.9g}" if isinstance(value, np.float32) else f"{value:.17g}"
    return text if re.search("[.e]", text) else f"{text}.0"


def write_array(elements: Sequence[str]) -> str:
    """Returns a JSON array of written elements."""
    return f"[{', '.join(elements)}]"


def write_object(members: dict[str, str]) -> str:
    """Returns a JSON object of written values."""
    return "{" + ", ".join(f"{write_string(name)}: {value}" for name, value in members.items()) + "}"


def encode(text: str) -> bytes:
    """Returns the bytes of a written document."""
    return text.encode("utf-8", "surrogateescape")


def _parse_error(reason: str) -> ServingError:
    return invalid_argument(f"JSON Parse error: {reason}")
