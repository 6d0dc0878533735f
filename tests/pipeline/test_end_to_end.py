"""From simulated logs to a served release, through two deaths on the way.

Each fixture goes on where the one before it ended; the tests look at what it left behind.
"""

import contextlib
import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from killed_run import killed_run
from patience import PATIENCE_S

from pipeline.cli import cli
from pipeline.cli.logged_requests import as_request
from pipeline.configs import load
from pipeline.history import PipelineRun, list_runs
from pipeline.pipeline import create_pipeline
from pipeline.runners.errors import ComponentFailedError, ReleaseRefusedError
from pipeline.runners.local import run_local
from serving.client import ClientConfig, RecommenderClient
from serving.release.store import ReleaseStore
from sources.recflow.adapter import RecFlowAdapter
from sources.simulator import simulate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

PATIENT = ("--deadline-s", str(PATIENCE_S))
DATA_PART = {
    f"{data}{component}"
    for data in ("Request", "Catalogue")
    for component in ("ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform")
}
RELEASE_PART = ["CascadeTrainer", "CascadeEvaluator", "ServingValidator", "CascadePusher"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run left: itself in the history, the terminal, the releases and the models in the serving folder."""

    run: PipelineRun
    terminal: str
    versions: list[int]
    models: set[str]

    @property
    def states(self) -> dict[str, str]:
        return {component.component: component.state for component in self.run.components}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline")
    simulate(load("demo", smoke=True).simulation, folder / "data")
    return folder


def _outcome(root: Path, terminal: str) -> Outcome:
    models = {path.parent.name for path in (root / "serving").glob("[a-z]*/[0-9]*") if path.is_dir()}
    run = list_runs(root / "metadata.sqlite")[0]
    return Outcome(run, terminal, ReleaseStore(root / "serving").versions(), models)


def _killed(root: Path, victim: str) -> Outcome:
    death = killed_run(root, victim)
    assert death.exit_code == -signal.SIGKILL, death.stdout + death.stderr
    assert death.stderr == ""
    return _outcome(root, death.stdout)


def _run(root: Path, **overrides: str) -> Outcome:
    lines: list[str] = []
    experiment = load("demo", smoke=True).with_overrides(overrides)
    pipeline = create_pipeline(experiment, data_dir=root / "data", root=root, serving_base=root / "serving")
    run_local(pipeline, log_dir=root / "logs", report=lines.append)
    return _outcome(root, "\n".join(lines))


@pytest.fixture(scope="module")
def killed_in_trainer(root):
    return _killed(root, "trainer")


@pytest.fixture(scope="module")
def killed_in_pusher(root, killed_in_trainer):
    return _killed(root, "pusher")


@pytest.fixture(scope="module")
def finished(root, killed_in_pusher):
    return _run(root)


@pytest.fixture(scope="module")
def repeated(root, finished):
    return _run(root)


@pytest.fixture(scope="module")
def refused(root, repeated):
    with pytest.raises(ReleaseRefusedError) as caught:
        _run(root, **{"evaluation.gate.minimum.recall@50": "0.999"})
    return _outcome(root, str(caught.value))


@pytest.fixture(scope="module")
def failed(root, refused):
    """The file of a day that was cut in half, and what a run said of it; the day is whole again."""
    day = sorted((root / "data" / "all_stage").iterdir())[1]
    whole = day.rename(root / "whole_day")  # and back: later runs find the very file, so the data part stays cached
    day.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    try:
        with pytest.raises(ComponentFailedError) as caught:
            _run(root)
    finally:
        whole.replace(day)
    return day, str(caught.value)


def _lcron(*arguments: str) -> list[str]:
    """Runs a command in this process, which has imported TFX; returns the lines that it prints."""
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout.splitlines()


@contextlib.contextmanager
def _served(root: Path) -> Iterator[str]:
    """Serves the releases in a process of its own, as users do; yields the line that it prints."""
    script = "from pipeline.cli import main; main()"
    command = [sys.executable, "-c", script, "serve", "--base", str(root / "serving"), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline()
    finally:
        server.terminate()
        assert server.wait(PATIENCE_S) == 0


def test_killed_trainer_leaves_the_data_part_and_no_release(killed_in_trainer):
    states = killed_in_trainer.states
    assert states.pop("CascadeTrainer") == "running"
    assert states == dict.fromkeys(DATA_PART, "executed")
    assert killed_in_trainer.versions == []
    assert killed_in_trainer.models == set()


def test_terminal_shows_components_and_progress_only(killed_in_trainer):
    lines = killed_in_trainer.terminal.splitlines()
    assert lines[0].startswith("log: ")
    assert Path(lines[0].removeprefix("log: ")).is_file()
    assert all(line.startswith(("[", " " * 8)) for line in lines[1:]), lines
    assert any("RequestExampleGen: executed in" in line and "test.num_examples 150" in line for line in lines)


def test_killed_pusher_goes_on_after_the_trainer_and_leaves_no_release(killed_in_pusher):
    states = killed_in_pusher.states
    assert states == {
        **dict.fromkeys(DATA_PART, "cached"),
        **dict.fromkeys(RELEASE_PART[:-1], "executed"),
        "CascadePusher": "running",
    }
    assert killed_in_pusher.versions == []
    assert killed_in_pusher.models == {"ranking"}


def test_training_goes_on_where_it_was_killed(killed_in_pusher, root):
    lines = [line.strip() for line in killed_in_pusher.terminal.splitlines()]
    checkpoints = root / "checkpoints"
    assert any(line.startswith(f"goes on at epoch 2 step 1, from the checkpoint in {checkpoints}/") for line in lines)
    assert not any(line.startswith("epoch 1/2: ") for line in lines)
    assert list(checkpoints.iterdir()) == []


def test_killed_runs_are_known_as_interrupted(root, finished):
    assert [run.state for run in list_runs(root / "metadata.sqlite")[-2:]] == ["interrupted", "interrupted"]


def test_third_run_pushes_the_release(finished, root):
    assert finished.states == {
        **dict.fromkeys([*DATA_PART, *RELEASE_PART[:-1]], "cached"),
        "CascadePusher": "executed",
    }
    assert finished.models == {"retrieval", "ranking", "cascade"}
    (version,) = finished.versions
    assert finished.run.properties["CascadePusher.version"] == version
    manifest = ReleaseStore(root / "serving").verify(version)
    assert [stage.name for stage in manifest.stages] == ["retrieval", "ranking"]
    assert manifest.data_span == ("2024-01-13", "2024-01-14")
    assert manifest.schema is not None
    assert {feature["name"] for feature in manifest.schema["request"]} >= {"user_id"}
    recall = finished.run.properties["CascadeEvaluator.recall@50"]
    assert manifest.metrics["recall@50"] == pytest.approx(recall, abs=1e-6)
    assert not list((root / "serving").glob(".tmp-*"))


def test_candidate_was_served_and_compared(finished):
    outputs = {component.component: component.outputs for component in finished.run.components}
    validation = json.loads(Path(outputs["ServingValidator"]["blessing"], "serving_validation.json").read_text())
    assert validation["num_requests"] == 32
    assert validation["reasons"] == []
    assert set(validation["latencies_ms"]) == {
        f"{signature}{form}"
        for signature in ("retrieval/retrieve", "retrieval/score", "ranking/score", "cascade/recommend")
        for form in ("", "_examples")
    }
    assert len(validation["differences"]) == 13  # four signatures in Python, Keras and raw form; the best of retrieval
    assert max(validation["differences"].values()) <= 1e-5


def test_unchanged_run_is_cached_and_pushes_nothing(finished, repeated):
    assert set(repeated.states.values()) == {"cached"}
    assert len(repeated.states) == 14
    assert repeated.versions == finished.versions


def test_refused_candidate_is_not_pushed(finished, refused):
    assert refused.states == {
        **dict.fromkeys([*DATA_PART, "CascadeTrainer"], "cached"),
        "CascadeEvaluator": "executed",
    }
    assert refused.terminal.startswith("CascadeEvaluator: recall@50 is 0.")
    assert "below the minimum of 0.9990" in refused.terminal
    assert refused.run.state == "refused"
    assert refused.run.properties["CascadeEvaluator.baseline_version"] == finished.versions[0]
    assert refused.versions == finished.versions


def test_gates_leave_candidate_and_release_whole(root, refused):
    ReleaseStore(root / "serving").verify(refused.versions[0])
    outputs = {component.component: component.outputs for component in refused.run.components}
    for model in ("retrieval", "ranking", "cascade"):
        assert Path(outputs["CascadeTrainer"]["release"], "models", model, "saved_model.pb").is_file()


def test_command_line_evaluates_as_the_pipeline_did(root, refused):
    (version,) = refused.versions
    experiment = ["--config", "demo", "--smoke", "--data", str(root / "data"), "--base", str(root / "serving")]
    lines = _lcron("evaluate", *experiment, "--out", str(root / "report"), "--json")
    metrics = ReleaseStore(root / "serving").latest().metrics
    figures = json.loads(lines[-1])
    assert figures["version"] == version
    assert figures["recall@50"] == pytest.approx(metrics["recall@50"], abs=1e-9)
    assert {path.name for path in (root / "report").iterdir()} == {"evaluation.html", "evaluation.json"}


def test_command_line_lists_the_runs(root, refused):
    lines = _lcron("runs", "--root", str(root), "--components")
    assert [line.split()[2] for line in lines[2:7]] == ["refused", "complete", "complete", *["interrupted"] * 2]
    assert any(line.startswith("CascadePusher") for line in lines)


def test_a_day_cut_in_half_is_one_error_and_no_release(root, failed, refused):
    day, message = failed
    assert message.startswith(f"RequestExampleGen: {day}: not a readable feather file")
    assert "\n" not in message
    assert _outcome(root, "").versions == refused.versions


def test_release_is_served_and_recommends(root, failed, refused):
    (version,) = refused.versions
    adapter = RecFlowAdapter(root / "data")
    (shard,) = adapter.request_shards(adapter.days()[-1:])
    record = next(adapter.read_requests(shard, lambda policy, number: None))
    request = as_request(record, load("demo", smoke=True).features, k=10)
    catalogue = {item["item_id"][0] for item in adapter.read_catalogue(adapter.days(), lambda policy, number: None)}
    config = ClientConfig(ReleaseStore(root / "serving").read(version).stages, deadline_s=PATIENCE_S)
    with _served(root) as line:
        started = line.split()
        assert started[:3] == ["Serving", "release", str(version)]
        target = started[-1]
        with RecommenderClient(target, config) as client:
            (answer,) = client.recommend_batch([request])
        with RecommenderClient(target, dataclasses.replace(config, one_call=True)) as client:
            (one_call,) = client.recommend_batch([request])
        experiment = ["--config", "demo", "--smoke", "--data", str(root / "data")]
        lines = _lcron("recommend", *experiment, "--target", target, "-k", "5", *PATIENT)
    assert answer.release == version
    assert len(set(answer.item_ids)) == 10
    assert set(answer.item_ids) <= catalogue
    assert one_call.item_ids == answer.item_ids
    assert f"retrieval then ranking of release {version} over gRPC at {target}" in lines[0]
    assert [line.split()[0] for line in lines[3:]] == ["1", "2", "3", "4", "5"]


def test_methods_are_compared_on_the_data_of_the_pipeline(root, repeated):
    command = ["benchmark", "--config", "demo", "--smoke", "--data", str(root / "data"), "--root", str(root)]
    command += ["--methods", "bce,lcron", "--seeds", "1", "--json"]
    lines = _lcron(*command)
    newest = list_runs(root / "metadata.sqlite")[0]
    assert {each.component: each.state for each in newest.components} == dict.fromkeys(DATA_PART, "cached")
    figures = json.loads(lines[-1])
    assert list(figures["methods"]) == ["bce", "lcron"]
    recall = {method: figures["methods"][method]["mean"]["list/recall"] for method in ("bce", "lcron")}
    assert min(recall.values()) > 0.5  # by chance the funnel of 40, 30 and 20 keeps half of the ground truth
    assert figures["lead_of_lcron"]["bce"]["mean"] == pytest.approx(recall["lcron"] - recall["bce"])
    written = {path.name for path in (root / "benchmark").glob("results.*")}
    assert written == {"results.md", "results.json", "results.svg"}

    again = _lcron(*command)
    assert "2 of 2 runs were done before" in again
    assert json.loads(again[-1])["methods"] == figures["methods"]


def test_the_command_line_refreshes_the_catalogue(root, refused):
    (version,) = refused.versions
    experiment = ["--config", "demo", "--smoke", "--data", str(root / "data"), "--base", str(root / "serving")]
    (line,) = _lcron("releases", "refresh-catalogue", *experiment)
    store = ReleaseStore(root / "serving")
    newest = store.verify(store.versions()[-1])
    assert line.startswith(f"release {newest.version} has the weights of release {version} and ")
    assert line.endswith(" items: 0 new, 0 gone")
    assert (newest.refresh_of, newest.metrics) == (version, {})
    assert newest.index["kind"] == "exact"
    lines = _lcron("recommend", *experiment, "-k", "5", *PATIENT)
    assert f"of release {newest.version} over gRPC" in lines[0]
    assert [line.split()[0] for line in lines[3:]] == ["1", "2", "3", "4", "5"]
