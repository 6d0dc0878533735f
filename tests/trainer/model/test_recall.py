from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.model.recall import Recall, survivors

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
STAGES = {"two": ["ret", "pre"], "three": ["ret", "pre", "rank"]}
CAPACITIES = {"two": [30, 20], "three": [40, 30, 20]}


def _reference(kind, case):
    """Scores by stage, ground truth (the ten best labels among the real items) and mask of a vector file."""
    vectors = np.load(VECTORS / "metrics.npz")
    scores = [vectors[f"{case}_{kind}_{stage}"] for stage in STAGES[kind]]
    where = vectors[f"{case}_{kind}_mask"].astype(bool)
    labels = np.where(where, vectors[f"{case}_{kind}_labels"], -1)
    ground_truth = np.zeros_like(where)
    np.put_along_axis(ground_truth, np.argsort(-labels, axis=1)[:, :10], True, axis=1)
    return vectors, scores, ground_truth, where


@pytest.mark.parametrize("case", ["full", "padded"])
@pytest.mark.parametrize("kind", ["two", "three"])
def test_end_to_end_recall_is_the_reference(kind, case):
    vectors, scores, ground_truth, where = _reference(kind, case)
    if case == "padded":  # the reference lets padding compete
        where = np.ones_like(where)
    left = survivors(scores, where, CAPACITIES[kind]).numpy()
    recall = (left & ground_truth).sum(axis=1) / 10
    np.testing.assert_allclose(recall, vectors[f"{case}_{kind}_joint"])
    metric = Recall(CAPACITIES[kind])
    metric.update_state(scores, ground_truth, where)
    assert float(metric.result()) == pytest.approx(vectors[f"{case}_{kind}_joint"].mean())


@pytest.mark.parametrize("case", ["full", "padded"])
@pytest.mark.parametrize(("stage", "index", "capacity"), [("retrieval", 0, 30), ("prerank", 1, 20)])
def test_stage_recall_is_the_reference(stage, index, capacity, case):
    vectors, scores, ground_truth, where = _reference("two", case)
    if case == "padded":  # the reference lets padding compete
        where = np.ones_like(where)
    left = survivors([scores[index]], where, [capacity]).numpy()
    recall = (left & ground_truth).sum(axis=1) / 10
    np.testing.assert_allclose(recall, vectors[f"{case}_two_recall_{stage}"])
    metric = Recall([capacity])
    metric.update_state([scores[index]], ground_truth, where)
    assert float(metric.result()) == pytest.approx(vectors[f"{case}_two_recall_{stage}"].mean())


def test_an_item_is_ranked_among_what_the_stage_before_passed_on():
    retrieval = [[4.0, 3.0, 2.0, 1.0]]
    ranking = [[1.0, 2.0, 3.0, 4.0]]
    where = tf.ones([1, 4], tf.bool)
    assert survivors([retrieval, ranking], where, [2, 1]).numpy().tolist() == [[False, True, False, False]]
    assert survivors([retrieval], where, [2]).numpy().tolist() == [[True, True, False, False]]


def test_no_capacity_stands_for_the_size_of_the_ground_truth():
    metric = Recall([None])
    metric.update_state(
        [[[4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0]]],
        [[True, False, True, False], [False, True, False, False]],
        tf.ones([2, 4], tf.bool),
    )
    assert float(metric.result()) == pytest.approx((1 / 2 + 0) / 2)


def test_padding_neither_competes_nor_counts():
    metric = Recall([1])
    metric.update_state([[[9.0, 2.0, 1.0]]], [[True, True, False]], [[False, True, True]])
    assert float(metric.result()) == 1.0


def test_lists_without_ground_truth_do_not_count():
    metric = Recall([1])
    metric.update_state([[[2.0, 1.0], [2.0, 1.0]]], [[True, False], [False, False]], tf.ones([2, 2], tf.bool))
    assert float(metric.result()) == 1.0
    assert float(Recall([1]).result()) == 0.0


@pytest.mark.parametrize("score", [0.0, -float("inf"), 1e38])
def test_ties_do_not_favour_the_head_of_the_list(score):
    ground_truth = np.arange(40) < 10
    metric = Recall([10])
    metric.update_state([np.full([1, 40], score)], ground_truth[np.newaxis], tf.ones([1, 40], tf.bool))
    assert 0 < float(metric.result()) < 0.6
    where = tf.constant([[True, False, True, True]])
    assert survivors([np.full([1, 4], score)], where, [3]).numpy().tolist() == where.numpy().tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_permuting_the_items_permutes_the_survivors(seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=[2, 3, 8])
    where = rng.random([3, 8]) < 0.8
    order = rng.permutation(8)
    left = survivors(list(scores), where, [4, 2]).numpy()
    np.testing.assert_array_equal(survivors(list(scores[..., order]), where[:, order], [4, 2]).numpy(), left[:, order])
    assert (left.sum(axis=1) == np.minimum(where.sum(axis=1), 2)).all()
    assert not (left & ~where).any()


def test_config_round_trip():
    metric = Recall.from_config(Recall([30, None], name="r").get_config())
    assert metric.capacities == (30, None)
    assert metric.name == "r"
