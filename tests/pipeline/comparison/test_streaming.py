import dataclasses

import numpy as np
import pytest

from pipeline.comparison.streaming import stream
from trainer.config.losses import CatalogueLossConfig, LossConfig
from trainer.config.towers import Dssm, Mlp
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.batches import RequestBatches
from trainer.data.training_data import TrainingData
from trainer.training.train_model import build_model

CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", Dssm(hidden_units=(8,), output_dim=4), 20, list_capacity=4),
        StageConfig("ranking", Mlp(hidden_units=(8,)), 10, list_capacity=3),
    ),
    loss=LossConfig(catalogue=CatalogueLossConfig(weight=0)),
    item_embedding_dim=4,
    batch_size=16,
)
STREAMING = dataclasses.replace(CONFIG, epochs=1, learning_rate_decay="none")


@pytest.fixture(scope="module")
def data(transformed_data) -> TrainingData:
    data = transformed_data.training_data()
    data.train_requests["request_day"] = np.arange(80, dtype=np.int32) % 2 + 19_000  # 40 requests on each day
    data.eval_requests["request_day"] = np.full(20, 19_002, np.int32)
    return data


def test_each_day_is_judged_by_the_model_of_the_days_before_it(data):
    model = build_model(STREAMING, data, np.zeros(61))
    model.compile()
    days = stream(model, data, lambda line: None)
    assert list(days) == ["2022-01-09", "2022-01-10"]  # 19,001 and 19,002 days after 1970-01-01
    assert model.optimizer.iterations == 6  # twice 40 requests in batches of 16
    last = model.evaluate(RequestBatches(data.eval_requests, STREAMING.batch_size).epoch(), verbose=0, return_dict=True)
    assert days["2022-01-10"] == pytest.approx(last)


def test_settings_that_do_not_stream_are_named(data):
    model = build_model(CONFIG, data, np.zeros(61))
    with pytest.raises(ValueError, match=r"needs `trainer.epochs=1` and .*=none`\. Received: epochs=2, .*=linear"):
        stream(model, data, lambda line: None)


def test_a_single_day_is_not_enough(data):
    same_day = {name: np.full(20, 19_002, np.int32) for name in ["request_day"]}
    single = dataclasses.replace(
        data,
        train_requests={name: values[:0] for name, values in data.train_requests.items()},
        eval_requests={**data.eval_requests, **same_day},
    )
    model = build_model(STREAMING, data, np.zeros(61))
    with pytest.raises(ValueError, match=r"needs at least two days. Received: 1"):
        stream(model, single, lambda line: None)
