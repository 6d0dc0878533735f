import dataclasses

import pytest

from pipeline.configs import NAMES, load
from pipeline.experiment import AdapterConfig, ExperimentConfig, ServingValidationConfig
from pipeline.splits import SplitConfig
from trainer.config.losses import METHODS
from trainer.data.features import Categorical, FeatureSpec, HistoryFeature, Numeric, Timestamp
from trainer.tuning.config import Float, TuningConfig

EXPERIMENT = ExperimentConfig(
    name="small",
    description="for tests",
    adapter=AdapterConfig("recflow", {"lists": "two_stage"}),
    features=FeatureSpec(
        request=(Categorical("user_id"), Timestamp("request_time_ms")),
        item=(Numeric("duration", dtype="int64"),),
        history=(HistoryFeature("grade", 5),),
    ),
    splits=SplitConfig(train_days="2024-01-01..2024-01-02"),
)


def test_json_round_trip():
    assert ExperimentConfig.from_json(EXPERIMENT.to_json()) == EXPERIMENT


@pytest.mark.parametrize(
    ("key", "text", "read"),
    [
        ("trainer.epochs", "7", lambda config: config.trainer.epochs == 7),
        ("trainer.learning_rate", "1e-4", lambda config: config.trainer.learning_rate == 1e-4),
        ("trainer.stages.1.capacity", "30", lambda config: config.trainer.stages[1].capacity == 30),
        ("trainer.stages.1.tower", "mlp", lambda config: config.trainer.stages[1].tower.kind == "mlp"),
        (
            "trainer.stages.0.tower.hidden_units",
            "8, 4",
            lambda config: config.trainer.stages[0].tower.hidden_units == (8, 4),
        ),
        ("splits.train_days", "none", lambda config: config.splits.train_days is None),
        ("splits.train_days", "3", lambda config: config.splits.train_days == 3),
        ("evaluation.max_requests", "50", lambda config: config.evaluation.max_requests == 50),
        (
            "evaluation.gate.minimum.recall@50",
            "0.5",
            lambda config: config.evaluation.gate.minimum.get("recall@50") == 0.5,
        ),
        ("adapter.options.history_size", "20", lambda config: config.adapter.options.get("history_size") == 20),
        ("adapter.options.time_zone", "UTC", lambda config: config.adapter.options.get("time_zone") == "UTC"),
        ("schema_dir", "recflow", lambda config: config.schema_dir == "recflow"),
        ("name", "12", lambda config: config.name == "12"),
    ],
)
def test_override_has_the_type_of_the_field(key, text, read):
    changed = EXPERIMENT.with_overrides({key: text})
    assert read(changed)
    assert not read(EXPERIMENT)


def test_overrides_leave_the_rest_alone():
    changed = EXPERIMENT.with_overrides({"trainer.epochs": "7", "trainer.seed": "3"})
    expected = dataclasses.replace(EXPERIMENT, trainer=dataclasses.replace(EXPERIMENT.trainer, epochs=7, seed=3))
    assert changed == expected


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("trainer.epoch", "3", "There is no key `trainer.epoch`. Did you mean `trainer.epochs`?"),
        ("trainer.stages.2.capacity", "3", "There is no key `trainer.stages.2.capacity`"),
        ("trainer.epochs", "three", "`trainer.epochs` must be an integer. Received: trainer.epochs='three'"),
        ("trainer.epochs", "0", "`epochs` must be positive. Received: epochs=0"),
        ("trainer.stages.1.tower", "cnn", "`trainer.stages.1.tower` must be one of 'two_tower', 'dssm'"),
        ("trainer", "x", r"`trainer` must be set by the keys below it \(TrainerConfig\)"),
        ("evaluation.max_requests", "all", "`evaluation.max_requests` must be an integer or none"),
    ],
)
def test_override_refused(key, text, message):
    with pytest.raises(ValueError, match=message):
        EXPERIMENT.with_overrides({key: text})


def test_tuning_can_be_overridden():
    tuning = TuningConfig((Float("learning_rate", 1e-4, 1e-2, sampling="log"),), num_trials=5)
    experiment = dataclasses.replace(EXPERIMENT, tuning=tuning)
    assert ExperimentConfig.from_json(experiment.to_json()) == experiment
    changed = experiment.with_overrides({"tuning.num_trials": "9", "tuning.search_space.0.high": "0.5"}).tuning
    assert (changed.num_trials, changed.search_space[0].high) == (9, 0.5)
    experiment.check()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_every_experiment_takes_every_loss(name, method):
    capacities = {f"trainer.stages.{index}.list_capacity": "5" for index in range(len(load(name).trainer.stages))}
    experiment = load(name).with_overrides({"trainer.loss.method": method, **capacities})
    experiment.check()
    assert ExperimentConfig.from_json(experiment.to_json()) == experiment


def test_serving_validation_must_be_positive():
    with pytest.raises(ValueError, match=r"`num_requests` must be positive. Received: num_requests=0"):
        ServingValidationConfig(num_requests=0)
