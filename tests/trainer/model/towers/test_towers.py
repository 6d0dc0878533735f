"""The grid that every tower passes."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import towers
from trainer.data.features import EncodedFeature, HistoryFeature
from trainer.model.cascade_model import TOWERS
from trainer.model.towers.retrieval_tower import RetrievalTower

NUM_ITEMS, HISTORY_SIZE, LIST_SIZE = 9, 4, 3
ITEM_FEATURES = (EncodedFeature("category", 5, 4), EncodedFeature("author", 7, 2))
ENCODED = np.random.default_rng(0).integers(0, 5, size=[NUM_ITEMS + 1, 2]).astype(np.int32)


def _tower(kind, **changes):
    tf.keras.utils.set_random_seed(3)
    arguments = {
        "num_items": NUM_ITEMS,
        "request_features": (EncodedFeature("country", 3, 2),),
        "item_features": ITEM_FEATURES,
        "history_features": (HistoryFeature("grade", 3, 2),),
        "history_size": HISTORY_SIZE,
        "item_embedding_dim": 6,
        "encoded": ENCODED,
    }
    small = {"hidden_units": (8, 5), "output_dim": 4, "attention_units": 5}
    settings = {field.name: small[field.name] for field in dataclasses.fields(towers.TOWERS[kind])}
    return TOWERS[kind](**{**arguments, **settings, **changes})


def _batch(history_size=HISTORY_SIZE, where=None):
    rng = np.random.default_rng(1)
    if where is None:
        where = np.arange(history_size) < np.array([[history_size], [2], [0]])
    return {
        "country": tf.constant([0, 2, 1]),
        "history_item": tf.constant(np.where(where, rng.integers(1, NUM_ITEMS + 1, where.shape), 0), tf.int32),
        "history_where": tf.constant(where),
        "history_grade": tf.constant(np.where(where, rng.integers(0, 3, where.shape), 0), tf.int32),
        "candidate_item": tf.constant(rng.integers(0, NUM_ITEMS + 1, [3, LIST_SIZE]), tf.int32),
    }


@pytest.mark.parametrize("kind", TOWERS)
class TestEveryTower:
    def test_scores(self, kind):
        batch = _batch()
        scores = _tower(kind)(batch)
        assert scores.shape == (3, LIST_SIZE)
        assert scores.dtype == tf.float32
        assert np.isfinite(scores).all()

    def test_each_item_is_scored_for_itself(self, kind):
        tower, batch = _tower(kind), _batch()
        state = tower.encode_request(batch)
        together = tower.score(state, batch["candidate_item"])
        for index in range(LIST_SIZE):
            alone = tower.score(state, batch["candidate_item"][:, index : index + 1])
            np.testing.assert_allclose(alone[:, 0], together[:, index], rtol=1e-5, atol=1e-6)

    def test_padding_of_the_history_does_not_matter(self, kind):
        tower, batch = _tower(kind), _batch()
        scores = tower(batch)
        padding = ~batch["history_where"]
        other = {
            **batch,
            "history_item": tf.where(padding, 5, batch["history_item"]),
            "history_grade": tf.where(padding, 2, batch["history_grade"]),
        }
        np.testing.assert_array_equal(tower(other), scores)
        longer = {
            **batch,
            **{name: tf.pad(batch[name], [[0, 0], [0, 3]]) for name in batch if name.startswith("history_")},
        }
        np.testing.assert_allclose(tower(longer), scores, rtol=1e-5, atol=1e-6)

    def test_history_matters(self, kind):
        tower, batch = _tower(kind), _batch()
        other = {**batch, "history_item": batch["history_item"] % NUM_ITEMS + 1}
        difference = np.abs(tower(other) - tower(batch)).max(axis=1)
        assert (difference[:2] > 1e-5).all()
        assert difference[2] == 0  # its history is empty

    def test_every_weight_learns(self, kind):
        tower, batch = _tower(kind), _batch()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tower(batch) ** 2)
        gradients = tape.gradient(loss, tower.trainable_variables)
        for variable, gradient in zip(tower.trainable_variables, gradients, strict=True):
            assert gradient is not None, variable.name
            assert np.isfinite(tf.convert_to_tensor(gradient)).all(), variable.name
        assert all(variable is not tower.item_encoder.item_table for variable in tower.trainable_variables)

    def test_round_trip(self, kind):
        tower, batch = _tower(kind), _batch()
        scores = tower(batch)
        rebuilt = type(tower).from_config(json.loads(json.dumps(tower.get_config())))
        rebuilt(batch)
        rebuilt.set_weights(tower.get_weights())
        np.testing.assert_array_equal(rebuilt(batch), scores)

    def test_no_features_at_all(self, kind):
        tower = _tower(
            kind, request_features=(), item_features=(), history_features=(), encoded=np.zeros([NUM_ITEMS + 1, 0])
        )
        assert np.isfinite(tower(_batch())).all()

    def test_compiled_equals_eager(self, kind):
        tower, batch = _tower(kind), _batch()
        scores = tower(batch)
        graph = tf.function(tower, autograph=False).get_concrete_function(batch)
        for compiled in (graph, tf.function(graph, jit_compile=True, autograph=False)):
            np.testing.assert_allclose(compiled(batch), scores, rtol=1e-4, atol=1e-5)


def test_retrieval_is_done_by_the_towers_that_have_vectors():
    assert {kind for kind, tower in TOWERS.items() if issubclass(tower, RetrievalTower)} == {
        kind for kind, tower in towers.TOWERS.items() if tower.finds
    }


@pytest.mark.parametrize(("kind", "width"), [("two_tower", 5), ("dssm", 4), ("item_similarity", 5)])
def test_retrieval_is_an_inner_product(kind, width):
    tower, batch = _tower(kind), _batch()
    users, items = tower.user_vectors(batch), tower.item_vectors(tf.range(NUM_ITEMS + 1))
    assert users.shape == (3, width)
    assert items.shape == (NUM_ITEMS + 1, width)
    scores = tf.gather(tf.matmul(users, items, transpose_b=True), batch["candidate_item"], batch_dims=1)
    np.testing.assert_allclose(scores, tower(batch), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["two_tower", "item_similarity"])
def test_the_bias_of_the_item_is_multiplied_by_one(kind):
    users = _tower(kind).user_vectors(_batch())
    np.testing.assert_array_equal(users[:, -1], [1, 1, 1])


def test_dssm_is_two_dense_networks():
    """Linear at the end, ReLU between, the user's network on the request and the mean of the history."""
    tower, batch = _tower("dssm"), _batch()
    scores = tower(batch)
    where = batch["history_where"].numpy()[..., np.newaxis]
    events = tower.history_encoder(batch).numpy()
    mean = (events * where).sum(axis=1) / np.maximum(where.sum(axis=1), 1)

    def network(layers, features):
        *hidden, last = (layer.get_weights() for layer in layers)
        for kernel, bias in hidden:
            features = np.maximum(features @ kernel + bias, 0)
        return features @ last[0] + last[1]

    user = network(tower.user_network.layers, np.concatenate([tower.request_encoder(batch), mean], axis=-1))
    item = network(tower.item_network.layers, tower.item_encoder(batch["candidate_item"]).numpy())
    np.testing.assert_allclose(scores, (item * user[:, np.newaxis]).sum(axis=-1), rtol=1e-4, atol=1e-7)


def test_item_similarity_is_a_weighted_sum_over_the_events():
    tower, batch = _tower("item_similarity"), _batch()
    scores = tower(batch).numpy()
    grade = tower.history_encoder.tables[0].embeddings.numpy() @ tower.event_weight.kernel.numpy()
    recency = tower.recency.embeddings.numpy()
    request = tower.user_network(tower.request_encoder(batch)).numpy()
    where, history = batch["history_where"].numpy(), batch["history_item"].numpy()
    for row in range(3):
        total, weights = np.zeros(4), 0.0
        num_events = where[row].sum()
        for event in range(num_events):
            weight = np.exp(recency[num_events - 1 - event, 0] + grade[batch["history_grade"][row, event], 0])
            total += weight * tower.history_factors.embeddings.numpy()[history[row, event]]
            weights += weight
        user = 1.5 * total / np.sqrt(1 + weights) + request[row]
        for column in range(LIST_SIZE):
            item = batch["candidate_item"][row, column]
            features = tower.item_encoder(item).numpy()
            factors = tower.item_factors(item).numpy() + features @ tower.feature_factors.kernel.numpy()
            bias = tower.item_bias(item).numpy() + features @ tower.feature_bias.kernel.numpy()
            assert scores[row, column] == pytest.approx(factors @ user + bias[0], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("adds", [False, True])
def test_a_later_stage_may_start_from_the_scores_before_it(adds):
    tower, batch = _tower("din", adds_to_previous=adds), _batch()
    state, item = tower.encode_request(batch), batch["candidate_item"]
    previous = tf.constant(np.random.default_rng(2).normal(size=item.shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(previous)
        scores = tower.score_after(state, item, previous)
    np.testing.assert_array_equal(scores, tower.score(state, item) + (previous if adds else 0.0))
    assert tape.gradient(scores, previous) is None


@pytest.mark.parametrize("kind", ["two_tower", "item_similarity"])
def test_retrieval_sees_the_order_of_the_history(kind):
    tower = _tower(kind)
    batch = _batch(where=np.ones([3, HISTORY_SIZE], bool))
    reversed_names = ("history_item", "history_grade")
    other = {name: value[:, ::-1] if name in reversed_names else value for name, value in batch.items()}
    assert np.abs(tower(other) - tower(batch)).max() > 1e-4


def test_din_is_attention_on_the_concatenation():
    """The split first layer gives what one layer on event and candidate side by side gives."""
    tower, batch = _tower("din"), _batch()
    scores = tower(batch).numpy()
    events = tower.history_encoder(batch).numpy()
    items = tower.item_encoder(batch["candidate_item"]).numpy()
    request = tower.request_encoder(batch).numpy()
    where = batch["history_where"].numpy()
    kernel = np.concatenate([tower.event_attention.kernel.numpy(), tower.item_attention.kernel.numpy()])
    first_kernel = np.concatenate([tower.network.project.kernel.numpy(), tower.network.item.kernel.numpy()])
    for row in range(3):
        num_events = where[row].sum()
        mean = events[row][: max(num_events, 1)].mean(axis=0) if num_events else np.zeros(events.shape[-1])
        for column in range(LIST_SIZE):
            interest = np.zeros(events.shape[-1])
            if num_events:
                pairs = [np.concatenate([event, items[row, column]]) for event in events[row, :num_events]]
                hidden = np.maximum(np.array(pairs) @ kernel + tower.event_attention.bias.numpy(), 0)
                logits = (hidden @ tower.attention_kernel.numpy())[:, 0]
                weights = np.exp(logits - logits.max())
                interest = weights / weights.sum() @ events[row, :num_events]
            features = np.concatenate([request[row], mean, interest, items[row, column]])
            hidden = np.maximum(features @ first_kernel + tower.network.project.bias.numpy(), 0)
            expected = tower.network.rest(hidden[np.newaxis].astype(np.float32)).numpy()[0, 0]
            assert scores[row, column] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_item_features_come_from_the_table():
    encoder = _tower("mlp").item_encoder
    encoded = encoder(tf.constant([[4]]))[0, 0]
    expected = tf.concat(
        [
            encoder.item_embedding(4),
            encoder.tables[0](tf.constant(ENCODED[4, 0])),
            encoder.tables[1](tf.constant(ENCODED[4, 1])),
        ],
        axis=0,
    )
    np.testing.assert_array_equal(encoded, expected)
