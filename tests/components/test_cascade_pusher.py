from pathlib import Path

import pytest
from tfx.types.standard_artifacts import InfraBlessing, ModelBlessing, ModelEvaluation, PushedModel

from components.artifacts import CandidateRelease
from components.blessing import BASELINE_VERSION, NotBlessedError, write_blessing
from components.cascade_pusher.executor import Executor
from serving.release.manifest import Stage
from serving.release.push import push
from serving.release.store import ReleaseStore
from trainer.config.json_text import from_plain, to_json
from trainer.config.trainer import TrainerConfig
from trainer.data.catalogue_misses import CatalogueMisses
from trainer.data.features import Categorical, FeatureSpec
from trainer.evaluation.evaluate import JSON_NAME
from trainer.evaluation.gate import Decision
from trainer.evaluation.result import EvaluationResult
from trainer.release.candidate import CandidateManifest, CandidateStage
from trainer.release.training_record import TrainingRecord

STAGES = (CandidateStage("retrieval", "two_tower", 20, None), CandidateStage("ranking", "din", 10, None))
FEATURES = FeatureSpec(request=(Categorical("tab", "int64"),), history_size=20)
EVALUATION = EvaluationResult(
    decision=Decision(True),
    metrics={"recall@10": 0.5},
    intervals={},
    popularity={},
    baseline=None,
    baseline_error=None,
    oracle={},
    attribution={},
    slices=(),
    stages=("retrieval", "ranking"),
    capacities=(20, 10),
    list_capacities=(None, None),
    ks=(10,),
    curve_ks=(10,),
    curves={},
    num_requests=1,
    num_requests_without_ground_truth=0,
    num_ground_truth=1,
    num_items=1,
    num_excluded_returned=0,
    elapsed_s=1.0,
)
RECORD = TrainingRecord(1, 1, 1, CatalogueMisses(1, 0, 1, 0), 1, 1.0, 1, ())


@pytest.fixture
def candidate(artifact, tmp_path):
    release = artifact(CandidateRelease)
    write_models(tmp_path / "Component" / "output" / "1" / "models", "new")
    manifest = CandidateManifest(STAGES, TrainerConfig(), FEATURES, RECORD, "2.15.1", {"recall@10": 1.0})
    (tmp_path / "Component" / "output" / "1" / "manifest.json").write_text(to_json(manifest))
    return release


def write_models(folder, content):
    for name in ("retrieval", "ranking", "cascade"):
        (folder / name).mkdir(parents=True)
        (folder / name / "saved_model.pb").write_text(content)


@pytest.fixture
def run(candidate, artifact, execute, base):
    def run(model_reasons=(), infra_reasons=(), baseline_version=0):
        model_blessing, infra_blessing = artifact(ModelBlessing), artifact(InfraBlessing)
        files = {"blessed_file": "BLESSED", "not_blessed_file": "NOT_BLESSED"}
        write_blessing(model_blessing, model_reasons, **files)
        write_blessing(infra_blessing, infra_reasons, **files)
        model_blessing.set_int_custom_property(BASELINE_VERSION, baseline_version)
        evaluation = artifact(ModelEvaluation)
        (Path(evaluation.uri) / JSON_NAME).write_text(EVALUATION.to_json())
        inputs = {
            "release": candidate,
            "evaluation": evaluation,
            "model_blessing": model_blessing,
            "infra_blessing": infra_blessing,
        }
        outputs = {"pushed": artifact(PushedModel)}
        properties = {"serving_base": str(base), "data_span": '["2024-01-01", "2024-01-02"]'}
        execute(Executor, inputs, outputs, **properties)
        return outputs["pushed"]

    return run


def test_a_blessed_candidate_is_pushed_with_where_it_comes_from(run, candidate, base):
    candidate.set_string_custom_property("git_commit", "abc")
    candidate.set_string_custom_property("lock_hash", "def")
    pushed = run()
    store = ReleaseStore(base)
    assert pushed.get_string_custom_property("serving_base") == str(base)
    manifest = store.verify(pushed.get_int_custom_property("version"))
    assert manifest.stages == (Stage("retrieval", 20), Stage("ranking", 10))
    assert from_plain(FeatureSpec, manifest.schema) == FEATURES
    assert (manifest.metrics, manifest.data_span) == ({"recall@10": 0.5}, ("2024-01-01", "2024-01-02"))
    assert (manifest.git_commit, manifest.lock_hash) == ("abc", "def")
    assert (Path(pushed.uri) / f"{manifest.version}.json").read_text() == manifest.to_json()


@pytest.mark.parametrize("gate", ["model_reasons", "infra_reasons"])
def test_both_gates_must_bless(run, gate, base):
    with pytest.raises(NotBlessedError, match=r"the candidate release was not blessed: too slow"):
        run(**{gate: ["too slow"]})
    assert not base.exists()


def test_release_pushed_since_the_evaluation_stops_it(run, base, tmp_path):
    write_models(tmp_path / "other", "other")
    models = {name: tmp_path / "other" / name for name in ("retrieval", "ranking", "cascade")}
    stages = (Stage("retrieval", 20), Stage("ranking", 10))
    version = push(models, base, stages=stages).version
    message = f"compared with no release, but the newest in .* is release {version}; run again from CascadeEvaluator"
    with pytest.raises(NotBlessedError, match=message):
        run()
    assert ReleaseStore(base).versions() == [version]


def test_release_rolled_back_since_the_evaluation_stops_it(run):
    with pytest.raises(NotBlessedError, match=r"was compared with release 12, but the newest in .* is none"):
        run(baseline_version=12)
