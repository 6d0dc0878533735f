"""Pickles from strangers: arrays and plain containers are read, everything else is refused by name."""

import collections
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sources.reading import DataError
from sources.recflow.unpickle import load_pickle

NUMBERS = st.one_of(
    hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64)), hnp.boolean_dtypes()
)
ARRAYS = hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
LEAVES = st.one_of(ARRAYS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary())
CONTENT = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(st.integers() | st.text(max_size=3), children, max_size=3),
    ),
    max_leaves=8,
)


class Call:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.reduced


def write(path: Path, content: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def assert_same(actual: Any, expected: Any) -> None:
    if isinstance(expected, np.ndarray):
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_same(actual[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert type(actual) is type(expected)
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
    else:
        assert type(actual) is type(expected)
        assert actual == expected


@settings(max_examples=60, deadline=None)
@given(content=CONTENT, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_arrays_and_containers_survive_every_protocol(content: Any, protocol: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert_same(load_pickle(write(Path(folder) / "a.pkl", content, protocol)), content)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_memory_orders_byte_orders_and_scalars(tmp_path: Path, protocol: int) -> None:
    content = {
        np.int64(5): np.asfortranarray(np.arange(6).reshape(2, 3)),
        "big endian": np.arange(3, dtype=">i4"),
        "strided": np.arange(20).reshape(4, 5)[::2, ::-2],
        "scalars": [np.float32(2.5), np.bool_(True), np.uint8(200)],
        "sets": [{1, 2}, frozenset({3}), bytearray(b"xy"), b""],
        "ordered": collections.OrderedDict(b=1, a=2),
    }
    loaded = load_pickle(write(tmp_path / "a.pkl", content, protocol))
    np.testing.assert_array_equal(loaded[5], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(loaded["big endian"], [0, 1, 2])
    np.testing.assert_array_equal(loaded["strided"], [[4, 2, 0], [14, 12, 10]])
    assert loaded["scalars"] == [2.5, True, 200]
    assert loaded["sets"] == [{1, 2}, frozenset({3}), bytearray(b"xy"), b""]
    assert list(loaded["ordered"]) == ["b", "a"]


def test_names_of_the_next_numpy_are_known(tmp_path: Path) -> None:
    raw = pickle.dumps(np.arange(4), protocol=2).replace(b"numpy.core.multiarray", b"numpy._core.multiarray")
    (tmp_path / "a.pkl").write_bytes(raw)
    np.testing.assert_array_equal(load_pickle(tmp_path / "a.pkl"), [0, 1, 2, 3])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (Call(os.system, "touch hacked"), "posix.system"),
        (Call(eval, "open('hacked', 'w')"), "builtins.eval"),
        (Call(getattr, 1, "real"), "builtins.getattr"),
        (Call(np.load, "x.npy", None, True), "numpy.load"),
        (Call(np.fromfile, "/etc/passwd"), "numpy.fromfile"),
        (Call(np.memmap, "hacked", "u1", "w+", 0, 8), "numpy.memmap"),
        (Call(__import__, "os"), "builtins.__import__"),
        (Path("/tmp"), "pathlib.PosixPath"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_refuses_globals_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Any, name: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "a.pkl", {"a": [call]}, protocol)
    with pytest.raises(DataError) as caught:
        load_pickle(path)
    assert str(path) in str(caught.value)
    assert f"{name}` is refused" in str(caught.value).replace("__builtin__", "builtins")
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([Call(os.system, "touch hacked"), None]), "dtype 'O8' are refused"),
        (np.array([{}, None]), "dtype 'O8' are refused"),
        (np.array(["text"]), "dtype 'U4' are refused"),
        (np.array([b"text"]), "dtype 'S4' are refused"),
        (np.array(["2024-01-13"], "M8[ms]"), "dtype 'M8' are refused"),
        (np.zeros(2, [("a", "i4"), ("b", "O")]), "dtype 'V12' are refused"),
        (np.zeros(2, np.complex128), "dtype 'c16' are refused"),
    ],
    ids=["hostile object", "object", "text", "bytes", "time", "structured", "complex"],
)
def test_refuses_arrays_of_anything_but_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: np.ndarray, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "a.pkl", {1: array})
    with pytest.raises(DataError) as caught:
        load_pickle(path)
    assert message in str(caught.value)
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x80\x02cmymodule\nThing\n.", "`mymodule.Thing` is refused"),
        (b"\x80\x02cnumpy\nndarray\n.", "functions and dtypes are refused as values"),
        (b"\x80\x02cnumpy\ndtype\n}U\x01aK\x01sb.", "a pickle may not change a function"),
        (b"\x80\x02cnumpy\ndtype\n(U\x02i8tR(K\x03U\x01<cnumpy\ndtype\nNNNNtb.", "structured dtypes are refused"),
        (b"\x80\x02cnumpy\ndtype\n)\x81.", "NEWOBJ"),
        (b"\x80\x02c_codecs\nencode\nU\x01aU\x05utf-8\x86R.", "only latin1"),
        (b"\x80\x04Nh\x07.", "Memo value not found"),
        (b"\x80\x04U\x01aQ.", "persistent"),
        (b"not a pickle at all", "not a readable pickle"),
        (b"", "Ran out of input"),
    ],
    ids=["global", "value", "state", "subdtype", "newobj", "codec", "memo", "persistent id", "text", "empty"],
)
def test_refuses_crafted_pickles(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        load_pickle(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_stand_ins_are_as_before_after_an_attack(tmp_path: Path) -> None:
    attack = tmp_path / "attack.pkl"
    attack.write_bytes(b"\x80\x02cnumpy\ndtype\nN}U\x09_functionc_codecs\nencode\ns\x86b.")
    with pytest.raises(DataError):
        load_pickle(attack)
    np.testing.assert_array_equal(load_pickle(write(tmp_path / "good.pkl", np.arange(3))), [0, 1, 2])


def test_refuses_containers_that_hold_themselves(tmp_path: Path) -> None:
    endless: list[Any] = [[] for _ in range(12)]
    for one in endless:
        one.extend([*endless, {1: (endless,)}])
    with pytest.raises(DataError, match=r"a\.pkl: not a readable pickle of arrays \(a container holds itself\)"):
        load_pickle(write(tmp_path / "a.pkl", endless))


def test_refuses_deep_nests(tmp_path: Path) -> None:
    content: list = []
    for _ in range(16):
        content = [content]
    with pytest.raises(DataError, match="containers are nested more than 16 deep"):
        load_pickle(write(tmp_path / "a.pkl", content))


def test_containers_shared_a_billion_times_are_read_once(tmp_path: Path) -> None:
    content: list = [0]
    for _ in range(14):
        content = [content] * 10
    loaded = load_pickle(write(tmp_path / "a.pkl", content))
    assert loaded[0] is loaded[9]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_every_truncation_is_an_error_that_names_the_file(tmp_path: Path, protocol: int) -> None:
    whole = pickle.dumps({7: np.arange(6).reshape(2, 3), 8: {"rank_pos": np.ones((1, 8), int)}}, protocol)
    path = tmp_path / "cut.pkl"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.pkl: not a readable pickle of arrays"):
            load_pickle(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.pkl: the file is missing"):
        load_pickle(tmp_path / "none.pkl")
