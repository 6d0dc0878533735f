import pytest
from tfx.types.standard_artifacts import InfraBlessing, ModelBlessing, ModelEvaluation, PushedModel

from components.artifacts import CandidateRelease
from components.blessing import BASELINE_VERSION, NotBlessedError, write_blessing
from components.cascade_pusher.executor import Executor
from serving.release.manifest import Stage
from serving.release.push import push
from serving.release.store import ReleaseStore
from trainer.candidate import CandidateManifest, CandidateStage
from trainer.catalogue_misses import CatalogueMisses
from trainer.config import TrainerConfig
from trainer.config_json import to_json
from trainer.features import FeatureSpec
from trainer.training_record import TrainingRecord

STAGES = (CandidateStage("retrieval", "two_tower", 20, None), CandidateStage("ranking", "din", 10, None))
RECORD = TrainingRecord(1, 1, 1, CatalogueMisses(1, 0, 1, 0), 1, 1.0, 1, ())


@pytest.fixture
def candidate(artifact, tmp_path):
    release = artifact(CandidateRelease)
    write_models(tmp_path / "Component" / "output" / "1" / "models", "new")
    manifest = CandidateManifest(STAGES, TrainerConfig(), FeatureSpec(), RECORD, "2.15.1")
    (tmp_path / "Component" / "output" / "1" / "manifest.json").write_text(to_json(manifest))
    return release


def write_models(folder, content):
    for name in ("retrieval", "ranking", "cascade"):
        (folder / name).mkdir(parents=True)
        (folder / name / "saved_model.pb").write_text(content)


@pytest.fixture
def run(candidate, artifact, execute, tmp_path):
    def run(model_reasons=(), infra_reasons=(), baseline_version=0):
        model_blessing, infra_blessing = artifact(ModelBlessing), artifact(InfraBlessing)
        files = {"blessed_file": "BLESSED", "not_blessed_file": "NOT_BLESSED"}
        write_blessing(model_blessing, model_reasons, **files)
        write_blessing(infra_blessing, infra_reasons, **files)
        model_blessing.set_int_custom_property(BASELINE_VERSION, baseline_version)
        inputs = {
            "release": candidate,
            "evaluation": artifact(ModelEvaluation),
            "model_blessing": model_blessing,
            "infra_blessing": infra_blessing,
        }
        outputs = {"pushed": artifact(PushedModel)}
        properties = {"serving_base": str(tmp_path / "serving"), "data_span": '["2024-01-01", "2024-01-02"]'}
        execute(Executor, inputs, outputs, **properties)

    return run


@pytest.mark.parametrize("gate", ["model_reasons", "infra_reasons"])
def test_both_gates_must_bless(run, gate, tmp_path):
    with pytest.raises(NotBlessedError, match=r"the candidate release was not blessed: too slow"):
        run(**{gate: ["too slow"]})
    assert not (tmp_path / "serving").exists()


def test_release_pushed_since_the_evaluation_stops_it(run, tmp_path):
    write_models(tmp_path / "other", "other")
    models = {name: tmp_path / "other" / name for name in ("retrieval", "ranking", "cascade")}
    stages = (Stage("retrieval", 20), Stage("ranking", 10))
    version = push(models, tmp_path / "serving", stages=stages).version
    message = f"compared with no release, but the newest in .* is release {version}; run again from CascadeEvaluator"
    with pytest.raises(NotBlessedError, match=message):
        run()
    assert ReleaseStore(tmp_path / "serving").versions() == [version]


def test_release_rolled_back_since_the_evaluation_stops_it(run):
    with pytest.raises(NotBlessedError, match=r"was compared with release 12, but the newest in .* is none"):
        run(baseline_version=12)
