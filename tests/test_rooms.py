"""Imports run downwards: between the packages, and between the rooms of the two large ones (docs/architecture.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {
    "": ("serving", "sources", "trainer", "components", "pipeline", "benchmarks"),
    "trainer": (
        *("uniform", "global_batch", "whole_file", "reporting"),
        *("config", "sorting", "losses", "data", "model", "index"),
        *("release", "evaluation", "monitoring", "training", "tuning"),
    ),
    "serving.server": (
        *("errors", "messages", "metrics", "options"),
        *("calls", "batching", "models", "grpc", "rest", "program", "__main__"),
    ),
}
"""Rooms from the ground up; none imports one above it."""


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def _room(module: str, house: str) -> str | None:
    """The first part of a dotted name below that of the house; `None` of what lies outside."""
    inside = f".{module}".removeprefix(f".{house}".rstrip("."))
    return (inside.split(".")[1:] or [None])[0] if inside != f".{module}" or not house else None


@pytest.mark.parametrize("house", FLOORS)
def test_no_import_runs_upwards(house):
    floors = {room: floor for floor, room in enumerate(FLOORS[house])}
    paths = [path for room in floors for path in (ROOT / house.replace(".", "/")).glob(f"{room}/**/*.py")]
    paths += [path for room in floors for path in (ROOT / house.replace(".", "/")).glob(f"{room}.py")]
    upwards = []
    for path in paths:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for imported in _imports(path):
            room = _room(imported, house)
            if floors.get(room, -1) > floors[_room(module, house)]:
                upwards.append(f"{module} imports {imported}")
    assert len(paths) > 40
    assert upwards == []


@pytest.mark.parametrize("house", [house for house in FLOORS if house])
def test_every_room_has_its_floor(house):
    entries = (ROOT / house.replace(".", "/")).iterdir()
    assert {path.stem for path in entries if path.stem not in ("__init__", "__pycache__")} == set(FLOORS[house])


@pytest.mark.parametrize("package", ["serving", "sources"])
def test_serving_and_sources_need_nothing_of_ours(package):
    others = [other for other in FLOORS[""] if other != package]
    paths = (ROOT / package).rglob("*.py")
    assert not [(path, each) for path in paths for each in _imports(path) if each.partition(".")[0] in others]


def test_the_trainer_needs_the_names_of_signatures_alone():
    paths = (ROOT / "trainer").rglob("*.py")
    found = {each for path in paths for each in _imports(path) if each.startswith("serving")}
    assert {each.removeprefix("serving.").partition(".")[0] for each in found} == {"signatures"}
