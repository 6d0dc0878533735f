"""The tuner's artifacts, and a trainer that takes them."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.artifacts import CandidateRelease, read_hyperparameters
from components.cascade_trainer.executor import Executor as TrainerExecutor
from components.cascade_tuner.executor import Executor
from components.progress import PROGRESS_LOGGER
from trainer.config.json_text import to_json
from trainer.config.losses import Bce, CatalogueLossConfig, LossConfig
from trainer.config.towers import Dssm, Mlp
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.release.candidate import read_manifest
from trainer.tuning.config import Choice, Float, TuningConfig

CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", Dssm(hidden_units=(8,), output_dim=4), 20, list_capacity=4),
        StageConfig("ranking", Mlp(hidden_units=(8,)), 10, list_capacity=3),
    ),
    loss=LossConfig(Bce(), catalogue=CatalogueLossConfig(weight=0.0)),
    item_embedding_dim=4,
    epochs=1,
    batch_size=16,
)
TUNING = TuningConfig(
    (Float("learning_rate", 1e-3, 1e-1, sampling="log"), Choice("stages.1.tower.hidden_units", ("16", "16,8"))),
    num_trials=2,
    max_requests=40,
    strategy="random",
)


@pytest.fixture
def inputs(artifact, transformed_data):
    """What tuner and trainer read."""

    def examples(files):
        made = artifact(standard_artifacts.Examples, splits=files)
        for split, paths in files.items():
            folder = Path(made.uri, f"Split-{split}")
            folder.mkdir()
            for path in paths:
                shutil.copy(path, folder)
        return made

    transforms = {name: artifact(standard_artifacts.TransformGraph) for name in ("request", "catalogue")}
    transforms["request"].uri = transformed_data.request_transform_dir
    transforms["catalogue"].uri = transformed_data.catalogue_transform_dir
    return {
        "requests": examples({"train": transformed_data.train_files, "eval": transformed_data.eval_files}),
        "catalogue": examples({"train": transformed_data.catalogue_files}),
        **{f"{name}_transform": made for name, made in transforms.items()},
    }


def test_tunes_and_trains_with_the_best(inputs, artifact, execute, transformed_data, tmp_path, caplog):
    common = {"trainer": to_json(CONFIG), "features": to_json(transformed_data.features), "source_hash": "1"}
    common["packed_dir"] = str(tmp_path / "packed")
    best, results = artifact(standard_artifacts.HyperParameters), artifact(standard_artifacts.TunerResults)
    outputs = {"best_hyperparameters": best, "tuner_results": results}
    execute(Executor, inputs, outputs, tuning=to_json(TUNING), state_dir=str(tmp_path / "tuning"), **common)

    values = read_hyperparameters([best])
    assert list(values) == ["learning_rate", "stages.1.tower.hidden_units"]
    with open(Path(results.uri, "trials.csv")) as file:
        first, second = csv.DictReader(file)
    assert float(first["val_end_to_end_recall"]) >= float(second["val_end_to_end_recall"])
    assert (float(first["learning_rate"]), first["stages.1.tower.hidden_units"]) == tuple(values.values())
    scores = [trial["score"] for trial in json.loads(Path(results.uri, "tuner_results.json").read_text())]
    assert scores == [float(first["val_end_to_end_recall"]), float(second["val_end_to_end_recall"])]
    assert Path(results.uri, "trials.svg").read_text().rstrip().endswith("</svg>")
    assert results.get_int_custom_property("num_trials") == 2
    assert results.get_int_custom_property("num_failed") == 0
    assert results.get_float_custom_property("val_end_to_end_recall") == scores[0]

    release, model_run = artifact(CandidateRelease), artifact(standard_artifacts.ModelRun)
    with caplog.at_level("INFO", logger=PROGRESS_LOGGER):
        execute(
            TrainerExecutor,
            {**inputs, "hyperparameters": best},
            {"release": release, "model_run": model_run},
            checkpoint_dir=str(tmp_path / "checkpoints"),
            warm_start="",
            profile=0,
            serving_base="",
            **common,
        )
    config = read_manifest(release.uri).config
    assert config.learning_rate == values["learning_rate"]
    assert ",".join(map(str, config.stages[1].tower.hidden_units)) == values["stages.1.tower.hidden_units"]
    assert config.batch_size == CONFIG.batch_size
    tuned = f"tuned: learning_rate={values['learning_rate']:.4g}, stages.1.tower.hidden_units="
    assert any(line.startswith(tuned) for line in caplog.messages)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate: 0.1", r"hyperparameters.txt: Hyper-parameters must be a JSON object with the tuned values"),
        ('{"space": [], "values": {"learning_rat": 1}}', r"There is no key `learning_rat`. Did you mean"),
        ('{"space": [], "values": {"learning_rate": -1}}', r"`learning_rate` must be positive. Received"),
    ],
)
def test_trainer_refuses_bad_hyperparameters(inputs, artifact, execute, transformed_data, tmp_path, text, message):
    bad = artifact(standard_artifacts.HyperParameters)
    Path(bad.uri, "hyperparameters.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        execute(
            TrainerExecutor,
            {**inputs, "hyperparameters": bad},
            {"release": artifact(CandidateRelease), "model_run": artifact(standard_artifacts.ModelRun)},
            trainer=to_json(CONFIG),
            features=to_json(transformed_data.features),
            checkpoint_dir=str(tmp_path / "checkpoints"),
            packed_dir=str(tmp_path / "packed"),
            warm_start="",
            profile=0,
            serving_base="",
            source_hash="1",
        )


def test_an_artifact_without_a_file(artifact):
    empty = artifact(standard_artifacts.HyperParameters)
    with pytest.raises(ValueError, match=r"must be one file. Received: \[\]"):
        read_hyperparameters([empty])
