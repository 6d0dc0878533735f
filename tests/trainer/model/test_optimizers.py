import dataclasses

import pytest

from trainer.config.trainer import TrainerConfig
from trainer.model.optimizers import build_optimizer, learning_rate

CONFIG = TrainerConfig(learning_rate=0.5)


def test_the_rate_comes_down_to_zero_over_the_run():
    schedule = learning_rate(CONFIG, 10)
    assert [float(schedule(step)) for step in (0, 5, 10, 20)] == pytest.approx([0.5, 0.25, 0.0, 0.0])


@pytest.mark.parametrize(("decay", "num_steps"), [("none", 10), ("linear", None)])
def test_the_rate_stays(decay, num_steps):
    assert learning_rate(dataclasses.replace(CONFIG, learning_rate_decay=decay), num_steps) == 0.5


@pytest.mark.parametrize(("kind", "name"), [("adam", "Adam"), ("lazy_adam", "LazyAdam")])
def test_the_optimiser_is_the_one_that_the_configuration_names(kind, name):
    optimizer = build_optimizer(dataclasses.replace(CONFIG, optimizer=kind), 10)
    assert type(optimizer).__name__ == name
    assert float(optimizer.learning_rate) == 0.5
