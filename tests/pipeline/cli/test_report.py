import datetime
import json

import pytest

from pipeline.cli.report import run_figures, run_report
from pipeline.history import ComponentRun, PipelineRun
from serving.release.files import AnyPath
from serving.release.manifest import Manifest, Stage
from trainer.evaluation.gate import Decision
from trainer.evaluation.result import EvaluationResult

START = datetime.datetime(2024, 1, 13, tzinfo=datetime.timezone.utc)


def component(name, outputs=None, **properties):
    return ComponentRun(name, "executed", START, 1.5, properties, outputs or {}, None)


@pytest.fixture
def run(tmp_path):
    result = EvaluationResult(
        decision=Decision(True),
        metrics={"recall@10": 0.5, "list/recall": 0.75},
        intervals={},
        popularity={"ground_truth": {"recall@10": 0.25}, "exposures": {"recall@10": 0.2}},
        baseline=None,
        baseline_error=None,
        oracle={"recall@10": 0.9},
        attribution={"candidate": {"recall@10": {"lost_in_retrieval": 1, "delivered": 3}}},
        slices=(),
        stages=("retrieval", "ranking"),
        capacities=(20, 10),
        list_capacities=(4, 3),
        ks=(10,),
        curve_ks=(10,),
        curves={},
        num_requests=4,
        num_requests_without_ground_truth=0,
        num_ground_truth=4,
        num_items=30,
        num_excluded_returned=0,
        elapsed_s=1.0,
    )
    (tmp_path / "evaluation.json").write_text(result.to_json())
    evaluator = component("CascadeEvaluator", {"evaluation": str(tmp_path)}, blessed=1)
    return PipelineRun("demo", "run1", (evaluator, component("CascadePusher", version=7)), num_components=2)


def write_release(base: AnyPath, version: int) -> None:
    manifest = Manifest(version, (Stage("retrieval", 20),), {"retrieval": {"saved_model.pb": "0" * 64}}, "2024-01-13")
    (base / "releases").mkdir(parents=True, exist_ok=True)
    (base / "releases" / f"{version}.json").write_text(manifest.to_json())


def test_metrics_stand_beside_popularity_and_the_possible_best(run, base):
    write_release(base, 7)
    lines = run_report(run, serving_base=base, models=("retrieval", "cascade")).splitlines()
    headers = next(line for line in lines if line.startswith("end to end"))
    assert headers.split("  ")[0] == "end to end"
    assert "this release" in headers
    assert "popularity (ground truth)" in headers
    assert "possible best" in headers
    assert "last release" not in headers
    assert next(line for line in lines if line.startswith("recall@10")).split()[1:] == ["0.5000", "0.2500", "0.9000"]
    assert "fate of the ground truth at 10: lost_in_retrieval 25.0%, delivered 75.0%" in lines
    assert lines[-3:] == ["release 7:", f"  {base}/retrieval/7", f"  {base}/cascade/7"]


@pytest.mark.parametrize(("newest", "words"), [(None, "is none;"), (9, "is 9;")])
def test_a_cached_push_that_is_not_the_newest_release_is_said(run, tmp_path, newest, words):
    if newest:
        write_release(tmp_path, newest)
    last = run_report(run, serving_base=tmp_path, models=("retrieval",)).splitlines()[-1]
    assert last.startswith("an earlier run pushed this as release 7, but the newest release in ")
    assert words in last
    assert last.endswith("run with --from CascadeEvaluator to push it again")


def test_figures_are_json(run):
    figures = json.loads(json.dumps(run_figures(run)))
    assert figures["version"] == 7
    assert figures["metrics"] == {"recall@10": 0.5, "list/recall": 0.75}
    assert figures["components"]["CascadePusher"] == {"state": "executed", "duration_s": 1.5}
