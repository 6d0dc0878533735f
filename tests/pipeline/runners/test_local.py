import sys
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from pipeline.history import list_runs, open_store
from pipeline.runners.errors import ComponentFailedError, PipelineError, ReleaseRefusedError
from pipeline.runners.local import run_local


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import toy_components

    yield toy_components
    del sys.modules["toy_components"]


@pytest.fixture
def run(toy, tmp_path):
    def run(*, text="abc", failure="", reason="", **options):
        source = toy.Source(text=text)
        middle = toy.Middle(config=source.outputs["config"], failure=failure)
        gate = toy.Gate(config=middle.outputs["copy"], reason=reason)
        sink = toy.Sink(blessing=gate.outputs["blessing"])
        pipeline = Pipeline(
            pipeline_name="toy",
            pipeline_root=str(tmp_path / "artifacts"),
            components=[source, middle, gate, sink],
            enable_cache=True,
            metadata_connection_config=sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite")),
        )
        return run_local(pipeline, log_dir=tmp_path / "logs", **options)

    return run


def _states(run):
    return {component.component: component.state for component in run.components}


def test_second_run_is_cached(run):
    assert _states(run()) == dict.fromkeys(["Source", "Middle", "Gate", "Sink"], "executed")
    assert _states(run()) == dict.fromkeys(["Source", "Middle", "Gate", "Sink"], "cached")


def test_changed_parameter_executes_from_there(run):
    run()
    assert _states(run(reason="", text="abcd")) == dict.fromkeys(["Source", "Middle", "Gate", "Sink"], "executed")


def test_from_component_executes_it_and_what_is_downstream(run):
    run()
    states = _states(run(from_component="Gate"))
    assert states == {"Source": "cached", "Middle": "cached", "Gate": "executed", "Sink": "executed"}


def test_without_cache(run):
    run()
    assert set(_states(run(use_cache=False)).values()) == {"executed"}


def test_unknown_from_component(run):
    with pytest.raises(PipelineError, match=r"`from` must be one of Source, Middle, Gate, Sink. Received: 'Trainer'"):
        run(from_component="Trainer")


def test_terminal_shows_progress_and_the_log_the_rest(run, capfd, tmp_path):
    run()
    captured = capfd.readouterr()
    assert captured.err == ""
    lines = [line for line in captured.out.splitlines() if ": running, " not in line]  # on a slow machine
    (log_path,) = (tmp_path / "logs").iterdir()
    assert lines[:2] == [f"log: {log_path}", "        half way"]
    assert lines[2].startswith("[ 1/4] Source: executed in ")
    assert lines[2].endswith(" (train.num_examples 3)")
    assert [line.partition(":")[0] for line in lines[3:]] == ["[ 2/4] Middle", "[ 3/4] Gate", "[ 4/4] Sink"]
    log = log_path.read_text()
    for text in (
        "printed by a library",
        "complained by a library",
        "written by C++",
        "logged by a library",
        "half way",
    ):
        assert text in log


def test_report_gets_the_lines(run):
    lines = []
    run(report=lines.append)
    assert len(lines) == 6


def test_data_error_ends_the_run_in_one_line(run, tmp_path, capfd):
    with pytest.raises(ComponentFailedError) as caught:
        run(failure="data")
    (log_path,) = (tmp_path / "logs").iterdir()
    expected = f"Middle: /data/x.csv: row 3, `user_id` must be set. Received: '' (log: {log_path})"
    assert str(caught.value) == expected
    assert "Traceback" in log_path.read_text()
    assert capfd.readouterr().out.splitlines()[-1].startswith("[ 2/4] Middle: failed in ")
    assert _states(list_runs(tmp_path / "metadata.sqlite")[0]) == {"Source": "executed", "Middle": "failed"}


def test_library_error_is_named(run):
    with pytest.raises(ComponentFailedError, match=r"^Middle: KeyError: 'user_id' \(log: "):
        run(failure="library")


def test_after_a_failure_the_run_goes_on_from_the_cache(run):
    with pytest.raises(ComponentFailedError):
        run(failure="data")
    assert _states(run()) == {"Source": "cached", "Middle": "executed", "Gate": "executed", "Sink": "executed"}


def test_refused_candidate_ends_the_run_with_the_reasons(run, tmp_path):
    for _ in range(2):  # the second time the refusal comes out of the cache
        with pytest.raises(ReleaseRefusedError, match=r"^Gate: recall is 0.1, below 0.2 "):
            run(reason="recall is 0.1, below 0.2")
    runs = list_runs(tmp_path / "metadata.sqlite")
    assert [_states(run) for run in runs] == [
        {"Source": "cached", "Middle": "cached", "Gate": "cached"},
        {"Source": "executed", "Middle": "executed", "Gate": "executed"},
    ]
    assert [run.state for run in runs] == ["refused", "refused"]
    assert runs[0].properties["Gate.reasons"] == "recall is 0.1, below 0.2"


def test_history_tells_of_a_failure_and_of_an_interruption(run, tmp_path):
    database = tmp_path / "metadata.sqlite"
    with pytest.raises(ComponentFailedError):
        run(failure="data")
    (failed,) = list_runs(database)
    assert failed.pipeline == "toy"
    assert failed.state == "failed"
    assert failed.properties == {"Source.train.num_examples": 3}
    assert failed.components[1].error == "/data/x.csv: row 3, `user_id` must be set. Received: ''"
    assert Path(failed.components[0].outputs["config"], "text").read_text() == "abc"

    store = open_store(database)
    (source,) = [e for e in store.get_executions() if e.last_known_state == metadata_store_pb2.Execution.COMPLETE]
    source.last_known_state = metadata_store_pb2.Execution.RUNNING  # as a killed process leaves it
    store.put_executions([source])
    assert list_runs(database)[0].components[0].state == "running"
    assert run().state == "complete"
    newest, older = list_runs(database)
    assert newest.state == "complete"
    assert older.components[0].state == "interrupted"
    assert not Path(failed.components[0].outputs["config"]).exists()
    assert list_runs(database, pipeline="other") == ()


def test_run_killed_between_components_is_interrupted(run, tmp_path):
    def killed(line):
        if line.startswith("[ 2/4]"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(report=killed)
    (interrupted,) = list_runs(tmp_path / "metadata.sqlite")
    assert _states(interrupted) == {"Source": "executed", "Middle": "executed"}
    assert interrupted.state == "interrupted"


def test_history_without_a_store(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected the metadata of pipeline runs"):
        list_runs(tmp_path / "metadata.sqlite")
