import dataclasses

import pytest

from trainer.config.json_text import from_json, to_json
from trainer.config.trainer import TrainerConfig
from trainer.tuning.config import Choice, Float, Int, TuningConfig

RATE = Float("learning_rate", 1e-4, 1e-2, sampling="log")
SPACE = (
    RATE,
    Float("loss.method.temperature", 1, 100),
    Int("stages.0.tower.output_dim", 16, 64, step=16),
    Choice("stages.1.tower.hidden_units", ("64,32", "128,64")),
    Choice("batch_size", (64, 256)),
    Choice("loss.catalogue.in_batch_negatives", (True, False)),
)


def test_json_round_trip():
    tuning = TuningConfig(SPACE, num_trials=5, epochs=2, max_requests=100, strategy="random", seed=3)
    again = from_json(TuningConfig, to_json(tuning))
    assert again == tuning
    assert [type(part) for part in again.search_space] == [type(part) for part in SPACE]
    assert [type(part.values[0]) for part in again.search_space[3:]] == [str, int, bool]


def test_json_with_an_unknown_kind_of_range():
    text = to_json(TuningConfig((RATE,))).replace('"float"', '"normal"')
    with pytest.raises(ValueError, match=r"`kind` must be one of .*Received: 'normal', with .*'key': 'learning_rate'"):
        from_json(TuningConfig, text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float("learning_rate", 0.2, 0.1), r"`low` of `learning_rate` must be below `high`. Received: low=0.2"),
        (lambda: Float("learning_rate", 0.0, 0.1, "log"), r"`low` of `learning_rate` must be positive.*Received: 0.0"),
        (lambda: Float("learning_rate", 0.1, 0.2, "normal"), r"`sampling` must be one of \('linear', 'log'\)"),
        (lambda: Int("batch_size", 1, 9, step=0), r"`step` of `batch_size` must be at least 1. Received: step=0"),
        (lambda: Int("batch_size", 1, 9, 1, "log"), r"`step` of `batch_size` must be at least 2. Received: step=1"),
        (lambda: Choice("batch_size", (3,)), r"`values` of `batch_size` must be two or more, all different"),
        (lambda: Choice("batch_size", (3, 3)), r"`values` of `batch_size` must be two or more, all different"),
        (lambda: Choice("batch_size", (3, "4")), r"`values` of `batch_size` must all be numbers of one type"),
        (lambda: TuningConfig(()), r"`search_space` must hold at least one range. Received: none"),
        (lambda: TuningConfig((3,)), r"`search_space` must hold `Float`, `Int` and `Choice`. Received: 3"),
        (lambda: TuningConfig((RATE, RATE)), r"`search_space` must hold each key once. Received twice: learning_rate"),
        (lambda: TuningConfig((Int("epochs", 1, 9),)), r"cannot hold `epochs`, which is the same in all trials"),
        (
            lambda: TuningConfig((Int("stages.0.list_capacity", 1, 9),)),
            r"cannot hold `stages.0.list_capacity`, which changes what is measured",
        ),
        (lambda: TuningConfig((RATE,), num_trials=0), r"`num_trials` must be positive. Received: num_trials=0"),
        (lambda: TuningConfig((RATE,), max_requests=-1), r"`max_requests` must be positive. Received: max_requests=-1"),
        (lambda: TuningConfig((RATE,), strategy="grid"), r"`strategy` must be one of \('random', 'bayesian'\)"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_configuration_takes_the_values():
    TuningConfig(SPACE).check(TrainerConfig())


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            dataclasses.replace(RATE, key="learning_rat"),
            r"`search_space`, learning_rat=0.0001: There is no key `learning_rat`. Did you mean `learning_rate`\?",
        ),
        (
            Float("stages.0.tower.output_dim", 16, 32.5),
            r"`search_space`, stages.0.tower.output_dim=32.5: `stages.0.tower.output_dim` must be an integer",
        ),
        (
            Choice("stages.0.tower", ("dssm", "mlp")),
            r"`search_space`, stages.0.tower=mlp: The first stage must be named 'retrieval' and be one of",
        ),
        (Float("history_dropout", 0, 1.5), r"`history_dropout` must be in \[0, 1\)"),
    ],
)
def test_a_configuration_refuses_a_value(part, message):
    with pytest.raises(ValueError, match=message):
        TuningConfig((part,)).check(TrainerConfig())


@pytest.mark.parametrize(
    ("part", "inside", "outside"),
    [
        (RATE, (1e-4, 1e-3, 1e-2), (None, 1e-5, 0.1)),
        (Int("batch_size", 16, 64, step=16), (16, 48, 64), (None, 8, 20, 80)),
        (Int("batch_size", 16, 64, 2, "log"), (16, 32, 64), (48, 128)),
        (Int("batch_size", 16, 64), (17,), (65,)),
        (Choice("stages.1.tower.hidden_units", ("64,32", "128,64")), ((64, 32), (128, 64)), ((64,), None)),
        (Choice("patience", ("none", "2")), (None, 2), (3,)),
        (Choice("loss.catalogue.in_batch_negatives", (True, False)), (True, False), (1,)),
    ],
)
def test_what_a_range_holds(part, inside, outside):
    assert all(part.holds(value) for value in inside)
    assert not any(part.holds(value) for value in outside)
