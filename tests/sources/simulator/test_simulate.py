"""A whole small simulation, as the adapter reads it."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sources.adapter import Record
from sources.reading import DataError
from sources.recflow import RecFlowAdapter
from sources.recflow.unpickle import load_pickle
from sources.simulator import SimulatorConfig, simulate

LISTS = {"two_stage": 40, "three_stage": 50}


def checksums(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run_elsewhere(
    config: SimulatorConfig, out_dir: Path, options: str = "", returncode: int = 0, **environment: str
) -> None:
    """Simulates in a process of its own."""
    arguments = f"SimulatorConfig(**{dataclasses.asdict(config)}), {str(out_dir)!r}, {options}"
    code = f"import os; from sources.simulator import *; simulate({arguments})"
    folder = Path(__file__).parents[3]
    process = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ | environment, cwd=folder)
    assert process.returncode == returncode


def requests(data_dir: Path, counted: Counter, **arguments) -> list[Record]:
    adapter = RecFlowAdapter(data_dir, **arguments)
    return [
        record
        for shard in adapter.request_shards(adapter.days())
        for record in adapter.read_requests(shard, lambda name, number: counted.update({name: number}))
    ]


def catalogue(data_dir: Path, counted: Counter) -> dict[str, Record]:
    adapter = RecFlowAdapter(data_dir)
    records = adapter.read_catalogue(adapter.days(), lambda name, number: counted.update({name: number}))
    return {record["item_id"][0]: record for record in records}


@pytest.mark.parametrize("lists", LISTS)
def test_the_adapter_reads_it_without_a_single_flaw(small_world_dir: Path, lists: str) -> None:
    counted: Counter[str] = Counter()
    items = catalogue(small_world_dir, counted)
    records = requests(small_world_dir, counted, lists=lists)
    assert not counted
    assert len(records) == 120
    assert len({record["request_id"][0] for record in records}) == 120
    for record in records:
        (now_ms,) = record["request_time_ms"]
        candidates = record["candidate_item_id"]
        assert len(set(candidates)) == LISTS[lists]
        assert all(items[item]["upload_time_ms"][0] <= now_ms for item in candidates)
        assert record["candidate_stage"] == [LISTS[lists] // 10 - 1 - index // 10 for index in range(LISTS[lists])]
        assert sorted(record["candidate_rank"][:10]) == list(range(1, 11))
        assert record["candidate_label"][:10] == [30.0 - rank for rank in record["candidate_rank"][:10]]
        assert set(record.get("history_item_id", [])) <= set(items)


def test_histories_precede_their_request_and_grow(small_world_dir: Path) -> None:
    adapter = RecFlowAdapter(small_world_dir)
    grown = 0
    for day in adapter.days():
        histories = load_pickle(small_world_dir / "seq_effective_50_dict" / f"{day}.pkl")
        for record in adapter.read_requests(adapter.request_shards([day])[0], lambda name, number: None):
            rows = histories[int(record["request_id"][0])]
            assert rows.shape == (50, 10)
            times_ms = rows[:, 7]
            assert times_ms.max() < record["request_time_ms"][0]
            used = times_ms > 0
            assert (used[1:] >= used[:-1]).all(), "right-aligned"
            assert (times_ms[1:] >= times_ms[:-1]).all(), "oldest first"
            grown += int((rows[used, 9] >= 0).sum())
    assert grown > 0


def test_equal_configurations_give_equal_bytes(
    small_world_config: SimulatorConfig, small_world_dir: Path, tmp_path: Path
) -> None:
    again = simulate(small_world_config, tmp_path / "again")
    assert checksums(again.data_dir) == checksums(small_world_dir)
    assert len(checksums(small_world_dir)) == 10
    other = simulate(dataclasses.replace(small_world_config, seed=8), tmp_path / "other")
    assert checksums(other.data_dir) != checksums(small_world_dir)


def test_oracle_file(small_world_config: SimulatorConfig, small_world_dir: Path) -> None:
    oracle = json.loads((small_world_dir / "oracle.json").read_text())
    assert oracle["config"] == dataclasses.asdict(small_world_config)
    assert list(oracle["best_recall_by_day"]) == ["2024-01-13", "2024-01-14"]
    for name in ("rank_pos", "rerank_pos"):
        days = [day[name] for day in oracle["best_recall_by_day"].values()]
        for cut, recall in oracle["best_recall"][name].items():
            assert recall == pytest.approx(sum(day[cut] for day in days) / 2, abs=2e-6)


def test_affinity_beats_popularity_by_far(tmp_path: Path) -> None:
    config = SimulatorConfig(num_users=100, num_items=1500, num_days=2, requests_per_day=300)
    report = simulate(config, tmp_path / "data")
    first, second = (requests_of_day(report.data_dir, day) for day in report.days)
    popular = Counter(item for record in first for item in record["candidate_item_id"][:10]).most_common(50)
    top = {item for item, _ in popular}
    popularity = sum(len(top.intersection(record["candidate_item_id"][:10])) for record in second) / 3000
    assert report.best_recall["rank_pos"]["50"] > 0.85
    assert 0.15 < popularity < 0.5 * report.best_recall["rank_pos"]["50"]


def requests_of_day(data_dir: Path, day: str) -> list[Record]:
    adapter = RecFlowAdapter(data_dir)
    return list(adapter.read_requests(adapter.request_shards([day])[0], lambda name, number: None))


def test_progress_reaches_the_total(small_world_config: SimulatorConfig, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    simulate(small_world_config, tmp_path / "data", progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (120, 120)
    assert calls == sorted(calls)
    assert len(calls) > 10


def test_finished_data_is_reused(small_world_config: SimulatorConfig, tmp_path: Path) -> None:
    first = simulate(small_world_config, tmp_path / "data")
    before = (tmp_path / "data" / "oracle.json").stat().st_mtime_ns
    second = simulate(small_world_config, tmp_path / "data")
    assert (first.reused, second.reused) == (False, True)
    assert dataclasses.replace(second, reused=False) == first
    assert (tmp_path / "data" / "oracle.json").stat().st_mtime_ns == before
    assert not simulate(small_world_config, tmp_path / "data", overwrite=True).reused


def test_another_configuration_is_replaced_only_on_demand(small_world_config: SimulatorConfig, tmp_path: Path) -> None:
    other = dataclasses.replace(small_world_config, seed=8)
    simulate(small_world_config, tmp_path)
    with pytest.raises(DataError, match="holds a simulation of another configuration"):
        simulate(other, tmp_path)
    simulate(other, tmp_path, overwrite=True)
    assert simulate(other, tmp_path).reused


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["thesis.txt", "oracle.json"])
def test_foreign_folders_are_kept(
    small_world_config: SimulatorConfig, tmp_path: Path, name: str, overwrite: bool
) -> None:
    (tmp_path / name).write_text("[1]")
    with pytest.raises(DataError, match="holds something that is not a simulation"):
        simulate(small_world_config, tmp_path, overwrite=overwrite)
    assert (tmp_path / name).read_text() == "[1]"


def test_a_file_is_no_folder(small_world_config: SimulatorConfig, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DataError, match="a folder is expected, a file is there"):
        simulate(small_world_config, tmp_path / "data")


@pytest.mark.parametrize("before", ["nothing", "finished"])
def test_an_interruption_leaves_what_was_there(
    small_world_config: SimulatorConfig, tmp_path: Path, before: str
) -> None:
    other = dataclasses.replace(small_world_config, seed=8)
    if before == "finished":
        simulate(other, tmp_path / "data")
    files = checksums(tmp_path)

    def interrupt(done: int, total: int) -> None:
        if done > 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(small_world_config, tmp_path / "data", overwrite=True, progress=interrupt)
    assert checksums(tmp_path) == files
    assert [path.name for path in tmp_path.iterdir()] == (["data"] if before == "finished" else [])


def test_what_a_killed_run_left_is_cleared(small_world_config: SimulatorConfig, tmp_path: Path) -> None:
    run_elsewhere(small_world_config, tmp_path / "data", "progress=lambda done, total: os._exit(9)", returncode=9)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".data.partial-")
    simulate(small_world_config, tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_two_runs_into_one_folder_leave_each_other_alone(
    small_world_config: SimulatorConfig, small_world_dir: Path, tmp_path: Path, overwrite: bool
) -> None:
    inner: list[bool] = []

    def simulate_too(done: int, total: int) -> None:
        if done > 70 and not inner:
            inner.append(simulate(small_world_config, tmp_path / "data").reused)

    outer = simulate(small_world_config, tmp_path / "data", overwrite=overwrite, progress=simulate_too)
    assert (inner, outer.reused) == ([False], not overwrite)
    assert checksums(tmp_path / "data") == checksums(small_world_dir)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_another_run_wrote_meanwhile_is_not_replaced(
    small_world_config: SimulatorConfig, small_world_dir: Path, tmp_path: Path
) -> None:
    other = dataclasses.replace(small_world_config, seed=8)
    with pytest.raises(DataError, match="holds a simulation of another configuration"):
        simulate(other, tmp_path / "data", progress=lambda *_: simulate(small_world_config, tmp_path / "data"))
    assert checksums(tmp_path / "data") == checksums(small_world_dir)


def test_a_place_that_cannot_be_written(small_world_config: SimulatorConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out_dir in (tmp_path / "file" / "data", Path("/proc/none/data")):
        with pytest.raises(DataError, match=f"{out_dir}: the folder cannot be written .*'{out_dir.parent}'"):
            simulate(small_world_config, out_dir)


def test_bytes_do_not_depend_on_the_number_of_threads(
    small_world_config: SimulatorConfig, small_world_dir: Path, tmp_path: Path
) -> None:
    environment = {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "5", "TZ": "America/New_York"}
    run_elsewhere(small_world_config, tmp_path / "data", **environment)
    assert checksums(tmp_path / "data") == checksums(small_world_dir)
