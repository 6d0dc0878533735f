import numpy as np
import pytest
import tensorflow as tf

from trainer.config.losses import CatalogueLossConfig
from trainer.losses.catalogue_sampler import CatalogueSampler
from trainer.model.catalogue_loss import CatalogueLoss, Negatives
from trainer.model.towers.mlp import Mlp
from trainer.model.towers.two_tower import TwoTower

NUM_ITEMS, NUM_DRAWS = 12, 20_000
LOG_FREQUENCY = np.log(np.r_[1e-9, np.arange(1.0, NUM_ITEMS + 1)] / 78)


@pytest.fixture(scope="module")
def towers():
    tf.keras.utils.set_random_seed(1)
    return [TwoTower(num_items=NUM_ITEMS, output_dim=4), Mlp(num_items=NUM_ITEMS, name="ranking")]


@pytest.fixture(scope="module")
def batch():
    return {
        "history_item": tf.constant([[3, 4], [7, 0]]),
        "history_where": tf.constant([[True, True], [True, False]]),
        "candidate_item": tf.constant([[1, 2, 5], [6, 9, 0]]),
        "where": tf.constant([[True, True, True], [True, True, False]]),
        "ground_truth": tf.constant([[True, False, True], [False, True, False]]),
        "labels": tf.constant([[2.0, 1.0, 3.0], [0.0, 2.0, 0.0]]),
    }


def _losses(towers, batch, log_frequency=LOG_FREQUENCY, **config):
    config = CatalogueLossConfig(**{"num_sampled_negatives": NUM_DRAWS, "num_retrieved_negatives": NUM_DRAWS, **config})
    sampler = CatalogueSampler(NUM_ITEMS, log_frequency, config.popularity_share)
    states = [tower.encode_request(batch) for tower in towers]
    scores = [tower.score(state, batch["candidate_item"]) for tower, state in zip(towers, states, strict=True)]
    loss = CatalogueLoss(config, sampler, seed=3)
    return [float(value) for value in loss(batch, towers, states, scores, tf.constant(0, tf.int64))]


def _expected(scores, counts, batch, weights):
    """With many draws, the sum over the negatives is that over the catalogue."""
    total = 0.0
    item = batch["candidate_item"].numpy()
    for row in range(len(item)):
        positives = item[row][weights[row] > 0]
        others = sum(np.exp(scores[row, i]) for i in range(1, NUM_ITEMS + 1) if i not in positives)
        for positive, weight in zip(item[row], weights[row], strict=True):
            if weight:
                total += weight * np.log1p(others * counts[row, positive] / np.exp(scores[row, positive]))
    return total / weights.sum()


@pytest.mark.parametrize("positive_weights", [(), (0.0, 0.5, 2.0)])
def test_every_stage_learns_the_softmax_of_the_whole_catalogue(towers, batch, positive_weights):
    weights = batch["ground_truth"].numpy().astype(float)
    if positive_weights:
        weights = np.array([[2.0, 0.5, 2.0], [0.0, 2.0, 0.0]])
    items = tf.tile(tf.range(NUM_ITEMS + 1)[tf.newaxis], [2, 1])
    retrieval, ranking = (tower.score(tower.encode_request(batch), items).numpy() for tower in towers)
    sampled = NUM_DRAWS * (0.5 * np.exp(LOG_FREQUENCY) + 0.5 / NUM_ITEMS) + 3 * np.exp(LOG_FREQUENCY)
    retrieved = NUM_DRAWS * np.exp(retrieval) / np.exp(retrieval[:, 1:]).sum(axis=1, keepdims=True)
    losses = _losses(towers, batch, positive_weights=positive_weights)
    assert losses[0] == pytest.approx(_expected(retrieval, np.tile(sampled, [2, 1]), batch, weights), rel=0.01)
    assert losses[1] == pytest.approx(_expected(ranking, retrieved, batch, weights), rel=0.01)


def test_unknown_frequency_draws_uniformly(towers, batch):
    weights = batch["ground_truth"].numpy().astype(float)
    items = tf.tile(tf.range(NUM_ITEMS + 1)[tf.newaxis], [2, 1])
    retrieval = towers[0].score(towers[0].encode_request(batch), items).numpy()
    counts = np.full([2, NUM_ITEMS + 1], NUM_DRAWS / NUM_ITEMS)
    losses = _losses(towers, batch, log_frequency=None)
    assert losses[0] == pytest.approx(_expected(retrieval, counts, batch, weights), rel=0.01)


@pytest.mark.parametrize("hidden_event_weight", [0.0, 0.5])
def test_whole_catalogue_is_exact(towers, batch, hidden_event_weight):
    items = tf.tile(tf.range(NUM_ITEMS + 1)[tf.newaxis], [2, 1])
    batch = {**batch, "history_hidden": tf.constant([[False, True], [False, False]])}
    states = [tower.encode_request(batch) for tower in towers]
    retrieval, ranking = (tower.score(state, items).numpy() for tower, state in zip(towers, states, strict=True))
    scores = [tower.score(state, batch["candidate_item"]) for tower, state in zip(towers, states, strict=True)]
    config = CatalogueLossConfig(
        num_sampled_negatives=None, num_retrieved_negatives=NUM_DRAWS, hidden_event_weight=hidden_event_weight
    )
    loss = CatalogueLoss(config, CatalogueSampler(NUM_ITEMS, LOG_FREQUENCY, 0.5), seed=3)
    assert loss.is_over_all_items
    losses = loss(batch, towers, states, scores, tf.constant(0, tf.int64), tf.constant(retrieval))
    log_total = np.log(np.exp(retrieval[:, 1:]).sum(axis=1))
    expected = 2 * log_total[0] - retrieval[0, 1] - retrieval[0, 5] + log_total[1] - retrieval[1, 9]
    expected += hidden_event_weight * (log_total[0] - retrieval[0, 4])
    assert float(losses[0]) == pytest.approx(expected / (3 + hidden_event_weight), rel=1e-5)
    retrieved = NUM_DRAWS * np.exp(retrieval) / np.exp(retrieval[:, 1:]).sum(axis=1, keepdims=True)
    weights = batch["ground_truth"].numpy().astype(float)
    assert float(losses[1]) == pytest.approx(_expected(ranking, retrieved, batch, weights), rel=0.01)


def test_later_stages_may_go_without(towers, batch):
    assert len(_losses(towers, batch, num_retrieved_negatives=0)) == 1


def test_later_stages_do_not_teach_retrieval(towers, batch):
    states = [tower.encode_request(batch) for tower in towers]
    config = CatalogueLossConfig(num_sampled_negatives=50, num_retrieved_negatives=5)
    loss = CatalogueLoss(config, CatalogueSampler(NUM_ITEMS, LOG_FREQUENCY, 0.5), seed=3)
    with tf.GradientTape() as tape:
        states = [tower.encode_request(batch) for tower in towers]
        scores = [tower.score(state, batch["candidate_item"]) for tower, state in zip(towers, states, strict=True)]
        _, ranking = loss(batch, towers, states, scores, tf.constant(0, tf.int64))
    gradients = tape.gradient(ranking, towers[0].trainable_variables)
    assert all(gradient is None or not np.any(tf.convert_to_tensor(gradient)) for gradient in gradients)


@pytest.mark.parametrize("draws_by_place", [False, True])
def test_draws_by_retrieval_score_are_independent_of_the_shared_draws(draws_by_place):
    seed = tf.constant([3, 0], tf.int64)
    sampler = CatalogueSampler(1000, None, 0.0)
    config = CatalogueLossConfig(num_retrieved_negatives=500)
    loss = CatalogueLoss(config, sampler, seed=3, draws_by_place=draws_by_place)
    shared = Negatives(tf.range(1000), tf.zeros([1000]), tf.zeros([1, 1]))
    batch = {"where": tf.ones([1, 1], tf.bool)}
    drawn, _ = loss._retrieve(batch, shared, tf.zeros([1, 1000]), tf.zeros([1, 1]), seed)
    correlation = np.corrcoef(drawn.item[0], sampler.sample(500, seed))[0, 1]
    assert abs(correlation) < 0.2
