import json
from pathlib import Path

import pytest

from components.example_gen.adapters import ADAPTERS, declare_adapter, load_adapter


@pytest.mark.parametrize("kind", sorted(ADAPTERS))
def test_registered_adapters_load(kind):
    assert load_adapter(declare_adapter(kind, {"data_dir": "/data"})).data_dir == Path("/data")


def test_own_adapter_by_class_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    declaration = declare_adapter("day_file_adapter.DayFileAdapter", {"drop_user": "u1", "data_dir": "/data"})
    assert json.loads(declaration) == {
        "class": "day_file_adapter.DayFileAdapter",
        "options": {"data_dir": "/data", "drop_user": "u1"},
    }
    assert load_adapter(declaration).drop_user == "u1"


def test_unknown_name():
    with pytest.raises(
        ValueError, match=r"An adapter is one of \['kuairand', 'recflow', 'request_log'\].*Received: 'movielens'"
    ):
        declare_adapter("movielens", {})


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("nowhere.Adapter", {}, "'nowhere.Adapter' cannot be imported: No module named 'nowhere'"),
        ("sources.adapter.Nothing", {}, "'sources.adapter.Nothing' cannot be imported"),
        ("recflow", {"data_dir": ".", "list": 1}, "does not take its options: .*unexpected keyword argument 'list'"),
    ],
)
def test_cannot_be_built(kind, options, message):
    with pytest.raises(ValueError, match=message):
        load_adapter(declare_adapter(kind, options))
