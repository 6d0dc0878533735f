import pytest

from pipeline import source_hash as module
from pipeline.source_hash import source_hash


@pytest.fixture
def tree(tmp_path, monkeypatch):
    files = {
        "components/__init__.py": "",
        "components/job.py": "import os\nfrom trainer import model\n",
        "trainer/__init__.py": "",
        "trainer/model.py": "def build():\n    from trainer.layers.dense import Dense\n",
        "trainer/layers/__init__.py": "",
        "trainer/layers/dense.py": "class Dense: ...\n",
        "trainer/unused.py": "x = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    return tmp_path


def test_same_source_same_hash(tree):
    assert source_hash("components.job") == source_hash("components.job")
    assert len(source_hash("components.job")) == 16


@pytest.mark.parametrize(
    "name", ["components/job.py", "trainer/model.py", "trainer/layers/dense.py", "trainer/layers/__init__.py"]
)
def test_changes_with_everything_that_is_imported(tree, name):
    before = source_hash("components.job")
    with (tree / name).open("a") as file:
        file.write("# changed\n")
    assert source_hash("components.job") != before


def test_does_not_change_with_what_is_not_imported(tree):
    before = source_hash("components.job")
    (tree / "trainer/unused.py").write_text("x = 2\n")
    assert source_hash("components.job") == before


def test_named_modules_count(tree):
    before = source_hash("components.job", "trainer.unused")
    (tree / "trainer/unused.py").write_text("x = 2\n")
    assert source_hash("components.job", "trainer.unused") != before


def test_module_outside_the_project(tree, tmp_path, monkeypatch):
    (tmp_path / "lcron_test_adapter.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = source_hash("lcron_test_adapter")
    (tmp_path / "lcron_test_adapter.py").write_text("x = 2\n")
    assert source_hash("lcron_test_adapter") != before


def test_unknown_module(tree):
    with pytest.raises(ValueError, match=r"There is no module named 'components.nothing' to hash"):
        source_hash("components.nothing")


def test_every_component_of_the_project_is_found():
    hashes = {
        source_hash(f"components.{name}.executor")
        for name in ("example_gen", "cascade_trainer", "cascade_evaluator", "serving_validator", "cascade_pusher")
    }
    assert len(hashes) == 5
