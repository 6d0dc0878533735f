"""Reads pickles that come from strangers: numeric numpy arrays and plain containers, nothing else.

No global of a pickle is ever imported. The few names that numpy's own pickles use are answered with
stand-ins that only note their arguments; arrays are built from those notes after the pickle has ended.
"""

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from sources.reading import DataError

_NUMERIC = re.compile(r"b1|[iu][1248]|f[248]")
_MAX_DEPTH = 16


class _Dtype:
    """A numeric dtype, noted by its code and byte order."""

    __slots__ = ("byte_order", "code")

    def __init__(self, code: Any, align: Any = False, copy: Any = True) -> None:
        if not isinstance(code, str) or not _NUMERIC.fullmatch(code):
            raise pickle.UnpicklingError(f"arrays of dtype {code!r} are refused, only numbers are read")
        self.code = code
        self.byte_order = "="

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subdtype, names, fields, itemsize, alignment, flags)
        if state[1] not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("structured dtypes are refused, only numbers are read")
        self.byte_order = state[1]

    def resolve(self) -> np.dtype:
        return np.dtype(self.byte_order + self.code)


class _Array:
    """An array, noted by what it will be built from."""

    __slots__ = ("state",)

    def __init__(self, *state: Any) -> None:
        self.state = state

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.state = (raw, dtype, shape, "F" if is_fortran else "C")

    def resolve(self) -> np.ndarray:
        raw, dtype, shape, order = self.state
        return np.frombuffer(raw, _resolve_dtype(dtype)).reshape(shape, order=order)


class _Scalar:
    """A numpy number."""

    __slots__ = ("dtype", "raw")

    def __init__(self, dtype: Any, raw: Any) -> None:
        self.dtype = dtype
        self.raw = raw

    def resolve(self) -> Any:
        (value,) = np.frombuffer(self.raw, _resolve_dtype(self.dtype))
        return value


class _StandIn:
    """Answers for a global of the pickle; it can be called and nothing else."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("a pickle may not change a function")


def _resolve_dtype(dtype: Any) -> np.dtype:
    if not isinstance(dtype, _Dtype):
        raise pickle.UnpicklingError(f"a dtype was expected, came {type(dtype).__name__}")
    return dtype.resolve()


def _encode_latin1(text: Any, encoding: Any) -> bytes:
    """The way protocols 0 to 2 write `bytes`."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(f"only latin1 text is decoded, came {encoding!r}")
    return text.encode("latin1")


def _stand_ins() -> Mapping[tuple[str, str], _StandIn]:
    functions: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _encode_latin1,
        ("collections", "OrderedDict"): dict,
    }
    for core in ("numpy.core", "numpy._core"):
        functions[core + ".multiarray", "_reconstruct"] = lambda subtype, shape, code: _Array()
        functions[core + ".multiarray", "scalar"] = _Scalar
        functions[core + ".numeric", "_frombuffer"] = _Array
    for builtins in ("builtins", "__builtin__"):
        for container in (set, frozenset, bytes, bytearray):
            functions[builtins, container.__name__] = container
    return {name: _StandIn(function) for name, function in functions.items()}


_STAND_INS = _stand_ins()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(
                f"`{module}.{name}` is refused, only numpy arrays and plain containers are read"
            )
        return _STAND_INS[module, name]


_IN_PROGRESS = object()


def _resolve(value: Any, depth: int, done: dict[int, Any]) -> Any:
    """Returns `value` with every note replaced by its array; `done` holds the results by the id of their value."""
    if isinstance(value, (_Array, _Scalar)):
        if id(value) not in done:
            done[id(value)] = value.resolve()
        return done[id(value)]
    if isinstance(value, (_Dtype, _StandIn)):
        raise pickle.UnpicklingError("functions and dtypes are refused as values")
    if not isinstance(value, (dict, list, tuple, set, frozenset)):
        return value
    if depth == 0:
        raise pickle.UnpicklingError(f"containers are nested more than {_MAX_DEPTH} deep")
    if done.get(id(value)) is _IN_PROGRESS:
        raise pickle.UnpicklingError("a container holds itself")
    if id(value) not in done:
        done[id(value)] = _IN_PROGRESS
        if isinstance(value, dict):
            resolved: Any = {
                _resolve(key, depth - 1, done): _resolve(item, depth - 1, done) for key, item in value.items()
            }
        else:
            resolved = type(value)(_resolve(item, depth - 1, done) for item in value)
        done[id(value)] = resolved
    return done[id(value)]


def load_pickle(path: Path) -> Any:
    """Returns the numeric arrays, numbers, strings and plain containers that a pickle holds.

    Arrays are read-only. Nothing that a pickle names is imported or called, whatever its content; a file
    made to exhaust the memory is not guarded against.

    Args:
      path: the pickle, of any protocol.

    Raises:
      DataError: the file is missing, truncated or corrupt, or it holds anything else.
    """
    try:
        with open(path, "rb") as file:
            content = _Unpickler(file).load()
        return _resolve(content, _MAX_DEPTH, {})
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except Exception as error:  # a hostile or damaged pickle can make the machine raise anything
        raise DataError(f"{path}: not a readable pickle of arrays ({error})") from error
