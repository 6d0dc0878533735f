"""A cascade of a few dozen weights and requests for it."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.losses import CatalogueLossConfig, LossConfig
from trainer.config.towers import Din, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import EncodedFeature, FeatureSpec, HistoryFeature
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel

NUM_ITEMS, NUM_TOPICS = 20, 4
REQUEST_FEATURES = (EncodedFeature("country", 3, 4),)


class Tiny:
    """Makes models and batches."""

    features = FeatureSpec(history=(HistoryFeature("grade", 3),), history_size=3, list_size=6)
    config = TrainerConfig(
        stages=(
            StageConfig("retrieval", TwoTower(hidden_units=(4,), output_dim=4), 10, list_capacity=4),
            StageConfig("ranking", Din(hidden_units=(4,), attention_units=3), 5, list_capacity=2),
        ),
        loss=LossConfig(catalogue=CatalogueLossConfig(num_sampled_negatives=8, num_retrieved_negatives=5)),
        item_embedding_dim=4,
        batch_size=8,
        learning_rate=1e-2,
        history_dropout=0.3,
    )

    def model(self, config, optimizer=None):
        """Built and compiled, with the same weights each time."""
        tf.keras.utils.set_random_seed(5)
        topics = np.arange(NUM_ITEMS + 1)[:, np.newaxis] % NUM_TOPICS
        table = ItemTable([b"%d" % item for item in range(NUM_ITEMS)], topics, (EncodedFeature("topic", 4, 4),))
        frequency = np.log(np.arange(1, NUM_ITEMS + 2) / np.arange(1, NUM_ITEMS + 2).sum())
        built = CascadeModel(config, self.features, REQUEST_FEATURES, table, frequency, config.precision)
        built(empty_batch(self.features, REQUEST_FEATURES))
        built.compile(optimizer, optimizer and type(optimizer)(1.0))
        built.prepare_training()
        return built

    def batch(self, num_requests, seed=3):
        """A user wants the items of a topic, that of the history."""
        rng = np.random.default_rng(seed)
        topic = rng.integers(0, NUM_TOPICS, [num_requests, 1])
        where = np.arange(6) < rng.integers(3, 7, [num_requests, 1])
        history_where = np.arange(3) < rng.integers(0, 4, [num_requests, 1])
        candidates = rng.integers(1, NUM_ITEMS + 1, where.shape) * where
        ground_truth = (candidates % NUM_TOPICS == topic) & where
        history = (topic + NUM_TOPICS * rng.integers(1, 5, history_where.shape)) * history_where
        batch = {
            "country": rng.integers(0, 3, num_requests).astype(np.int32),
            "history_item": history.astype(np.int32),
            "history_where": history_where,
            "history_grade": rng.integers(0, 3, history.shape).astype(np.int32),
            "candidate_item": candidates.astype(np.int32),
            "candidate_stage": ground_truth.astype(np.int32),
            "where": where,
            "labels": ground_truth.astype(np.float32),
            "ground_truth": ground_truth,
        }
        return {name: tf.constant(values) for name, values in batch.items()}


@pytest.fixture(scope="session")
def tiny():
    """The maker of tiny cascades."""
    return Tiny()
