import json

import keras_tuner
import pytest

from trainer.config.trainer import TrainerConfig
from trainer.tuning.tuned_config import parse_hyperparameters, tuned_config, values_text

VALUES = {
    "learning_rate": 0.00123456,
    "stages.1.tower.hidden_units": "64,32",
    "loss.catalogue.in_batch_negatives": False,
}


def test_values_take_their_place_and_the_rest_stays():
    config = tuned_config(TrainerConfig(), VALUES)
    assert config.learning_rate == 0.00123456
    assert config.stages[1].tower.hidden_units == (64, 32)
    assert config.loss.catalogue.in_batch_negatives is False
    assert config.stages[0] == TrainerConfig().stages[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rat": 0.1}, "There is no key `learning_rat`. Did you mean `learning_rate`?"),
        ({"epochs": "many"}, "`epochs` must be an integer. Received: epochs='many'"),
        ({"history_dropout": 1.5}, r"`history_dropout` must be in \[0, 1\)"),
    ],
)
def test_values_are_checked(values, message):
    with pytest.raises(ValueError, match=message):
        tuned_config(TrainerConfig(), values)


def test_values_as_text():
    assert values_text(VALUES) == (
        "learning_rate=0.001235, stages.1.tower.hidden_units=64,32, loss.catalogue.in_batch_negatives=false"
    )


def test_reads_what_keras_tuner_writes():
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Float("learning_rate", 1e-4, 1e-2)
    hyperparameters.Choice("batch_size", [64, 128])
    text = json.dumps(hyperparameters.get_config())
    assert parse_hyperparameters(text) == {"learning_rate": 1e-4, "batch_size": 64}


@pytest.mark.parametrize("text", ["", "3", "[]", "{}", '{"values": 3}', '{"values": {"batch_size": [3]}}'])
def test_refuses_anything_else(text):
    with pytest.raises(ValueError, match=r'with the tuned values by key under "values". Received: '):
        parse_hyperparameters(text)
