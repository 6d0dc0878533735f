import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.losses.lcron import e2e_loss, lcron_loss, single_loss
from trainer.metrics.recall import survivors
from trainer.sorting.neural_sort import neural_sort
from trainer.sorting.soft_sort import soft_sort

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
NAMES = [
    "two_n8_seed0",
    "two_n8_seed1_scale10",
    "two_n40_seed0",
    "two_n40_seed1_scale10",
    "three_n10_seed0",
    "three_n50_seed0",
]
EPSILON = 1e-6  # the reference adds it inside its logarithms


def _reference(name):
    """Stage names in funnel order, vectors, scores, ground truth and the weight of negatives of a vector file."""
    vectors = np.load(VECTORS / f"{name}.npz")
    stages = ["retrieval", "prerank", "rank"] if name.startswith("three") else ["retrieval", "prerank"]
    ground_truth = np.zeros(vectors["labels"].shape, bool)
    best = np.argsort(-vectors["labels"], axis=1, kind="stable")[:, : vectors["gt"]]
    np.put_along_axis(ground_truth, best, True, axis=1)
    # With three stages the reference counts each negative as often as its group of ties is large.
    negative_weight = float(vectors["sizes"][-1]) if name.startswith("three") else 1.0
    scores = [tf.constant(vectors[f"logits_{stage}"]) for stage in stages]
    return stages, vectors, scores, ground_truth, negative_weight


def _check(vectors, key, loss, gradients, stages):
    assert float(loss) == pytest.approx(float(vectors[f"{key}__value"]), rel=1e-5)
    for stage, gradient in zip(stages, gradients, strict=True):
        expected = vectors[f"{key}__grad_{stage}"]
        gradient = np.zeros_like(expected) if gradient is None else gradient.numpy()
        assert np.abs(gradient - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_terms_are_those_of_the_reference(name):
    stages, vectors, scores, ground_truth, negative_weight = _reference(name)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = e2e_loss(scores, ground_truth, epsilon=EPSILON)
    _check(vectors, "lcron_joint", loss, tape.gradient(loss, scores), stages)
    for index, stage in enumerate(stages):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = single_loss(scores[index], ground_truth, negative_weight=negative_weight, epsilon=EPSILON)
        _check(vectors, f"lcron_single_{stage}", loss, tape.gradient(loss, scores), stages)


@pytest.mark.parametrize(
    ("name", "key"),
    [(name, key) for name in NAMES for key in ("lcron", "lcron_w")]
    + [(name, key) for name in NAMES if "two" in name for key in ("lcron_softsort", "lcron_softsort_w")],
)
def test_total_is_that_of_the_reference(name, key):
    stages, vectors, scores, ground_truth, negative_weight = _reference(name)
    weights = vectors[f"{key}__weights"][::-1]  # stored last stage first
    log_variances = tf.constant(2 * np.log(weights), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([*scores, log_variances])
        loss = lcron_loss(
            scores,
            ground_truth,
            log_variances=log_variances,
            operator=soft_sort if "softsort" in key else neural_sort,
            negative_weight=negative_weight,
            epsilon=EPSILON,
        ).total
    *gradients, weight_gradient = tape.gradient(loss, [*scores, log_variances])
    _check(vectors, key, loss, gradients, stages)
    expected = vectors[f"{key}__grad_weights"][::-1] * weights / 2  # dL/da = dL/dw · dw/da, w = exp(a/2)
    np.testing.assert_allclose(weight_gradient, expected, rtol=1e-4, atol=1e-5)


def test_single_loss_is_the_formula():
    scores, ground_truth = tf.constant([[2.0, -1.0, 0.5]]), np.array([[True, False, False]])
    survival = neural_sort(scores, 1, temperature=3.0)
    head, tail = survival.head.numpy()[0], survival.tail.numpy()[0]
    expected = -(math.log(head[0]) + 5 * math.log(tail[1]) + 5 * math.log(tail[2])) / 3
    loss = single_loss(scores, ground_truth, temperature=3.0, negative_weight=5.0)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_e2e_loss_is_the_formula_at_its_capacities():
    rng = np.random.default_rng(0)
    scores = [tf.constant(rng.normal(size=[1, 5]), tf.float32) for _ in range(3)]
    ground_truth = np.array([[False, True, False, False, True]])
    heads = [neural_sort(s, k, temperature=2.0).head for s, k in zip(scores, [4, 3, 2], strict=True)]
    product = np.prod(heads, axis=0)
    expected = -np.where(ground_truth, np.log(product), np.log(1 - product)).mean()
    loss = e2e_loss(scores, ground_truth, capacities=[4, 3, None], temperature=2.0)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def _loss_and_gradients(scores, ground_truth, where, **options):
    scores = [tf.constant(s) for s in scores]
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = lcron_loss(scores, ground_truth, where=where, **options)
    return loss, [gradient.numpy() for gradient in tape.gradient(loss.total, scores)]


@pytest.mark.parametrize("capacities", [None, [3, 2], [3, None], [99, 99]])
@pytest.mark.parametrize(
    "scores",
    [[1e4, -1e4, 1e4, 0.0, -5.0], [2.0] * 5, [1e4, 1e4 + 1, 1e4 + 2, -1e4, 0.0]],
    ids=["extreme", "equal", "offset"],
)
@pytest.mark.parametrize("valid", [5, 2, 0])
@pytest.mark.parametrize("num_positives", [0, 1, 5])
def test_loss_and_gradients_are_finite_and_zero_on_padding(scores, valid, num_positives, capacities):
    where = (np.arange(5) < valid)[np.newaxis]
    ground_truth = (np.arange(5) < num_positives)[np.newaxis]
    stages = [np.array([scores], np.float32), np.array([scores[::-1]], np.float32)]
    loss, gradients = _loss_and_gradients(stages, ground_truth, where, capacities=capacities)
    assert np.isfinite(loss.total)
    for gradient in gradients:
        assert np.isfinite(gradient).all()
        assert (gradient[~where] == 0).all()
    has_both = 0 < num_positives < valid
    if not has_both:
        assert float(loss.total) == 0
    if not has_both or capacities == [99, 99]:
        assert float(loss.end_to_end) == 0


def test_lists_that_teach_nothing_are_not_counted():
    rng = np.random.default_rng(5)
    scores = [rng.normal(size=[4, 6]).astype(np.float32) for _ in range(2)]
    where = np.ones([4, 6], bool)
    ground_truth = rng.random([4, 6]) < 0.5
    ground_truth[0] = [1, 0, 0, 1, 0, 0]
    ground_truth[1], ground_truth[2], where[3] = False, True, False
    loss, gradients = _loss_and_gradients(scores, ground_truth, where)
    alone, gradients_alone = _loss_and_gradients([s[:1] for s in scores], ground_truth[:1], where[:1])
    assert float(loss.total) == pytest.approx(float(alone.total), rel=1e-6)
    for gradient, expected in zip(gradients, gradients_alone, strict=True):
        np.testing.assert_allclose(gradient[:1], expected, rtol=1e-5)
        assert (gradient[1:] == 0).all()


def test_padded_equals_compacted():
    rng = np.random.default_rng(6)
    scores = [rng.normal(size=[1, 7]).astype(np.float32) for _ in range(3)]
    where = np.array([[1, 0, 1, 1, 0, 1, 1]], bool)
    ground_truth = np.array([[1, 1, 0, 0, 1, 1, 0]], bool)
    for s in scores:
        s[~where] = np.nan
    loss, gradients = _loss_and_gradients(scores, ground_truth, where, capacities=[4, 3, 2])
    compact, expected = _loss_and_gradients(
        [s[:, where[0]] for s in scores], ground_truth[:, where[0]], None, capacities=[4, 3, 2]
    )
    assert float(loss.total) == pytest.approx(float(compact.total), rel=1e-5)
    for gradient, compact_gradient in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient[where], compact_gradient[0], rtol=1e-4, atol=1e-7)


def test_leading_batch_dimensions():
    rng = np.random.default_rng(7)
    scores = [rng.normal(size=[2, 3, 5]).astype(np.float32) for _ in range(2)]
    ground_truth = np.broadcast_to(np.arange(5) < 2, [2, 3, 5])
    flat = lcron_loss([s.reshape(6, 5) for s in scores], ground_truth.reshape(6, 5))
    assert float(lcron_loss(scores, ground_truth).total) == pytest.approx(float(flat.total), rel=1e-6)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    scores = [tf.constant([[3.0, -200.0, 0.5, 7.0]], dtype), tf.constant([[0.0, 1.0, 2.0, 3.0]], dtype)]
    ground_truth = [[True, False, False, True]]
    expected = lcron_loss([tf.cast(s, tf.float32) for s in scores], ground_truth)
    assert float(lcron_loss(scores, ground_truth).total) == pytest.approx(float(expected.total), rel=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["tf.function", "xla"])
def test_compiled_equals_eager(jit_compile):
    rng = np.random.default_rng(8)
    scores = [tf.constant(rng.normal(size=[3, 6]), tf.float32) for _ in range(2)]
    ground_truth = tf.constant(np.arange(6) < [[2], [0], [3]])
    where = tf.constant(np.arange(6) < [[6], [4], [5]])
    compiled = tf.function(lcron_loss, jit_compile=jit_compile)
    loss = compiled(scores, ground_truth, where=where, capacities=[3, 2])
    expected = lcron_loss(scores, ground_truth, where=where, capacities=[3, 2])
    assert float(loss.total) == pytest.approx(float(expected.total), rel=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_the_items_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    scores = [rng.normal(size=[2, 6]).astype(np.float32) for _ in range(3)]
    ground_truth, where, order = rng.random([2, 6]) < 0.4, rng.random([2, 6]) < 0.9, rng.permutation(6)
    loss, gradients = _loss_and_gradients(scores, ground_truth, where)
    permuted, permuted_gradients = _loss_and_gradients(
        [s[:, order] for s in scores], ground_truth[:, order], where[:, order]
    )
    assert float(permuted.total) == pytest.approx(float(loss.total), rel=1e-4, abs=1e-6)
    for gradient, expected in zip(permuted_gradients, gradients, strict=True):
        np.testing.assert_allclose(gradient, expected[:, order], rtol=1e-3, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_product_of_survivals_is_at_most_the_survival_of_the_cascade(seed, num_stages):
    rng = np.random.default_rng(seed)
    scores = [rng.permutation(8).astype(np.float32)[np.newaxis] for _ in range(num_stages)]
    capacities = sorted(rng.integers(1, 9, size=num_stages).tolist(), reverse=True)
    heads = [neural_sort(s, k, temperature=1e-3).head.numpy() for s, k in zip(scores, capacities, strict=True)]
    delivered = survivors(scores, tf.ones([1, 8], tf.bool), capacities).numpy()
    assert (np.prod(heads, axis=0) <= delivered + 1e-5).all()


def test_epsilon_bounds_the_loss():
    scores = [tf.constant([[-1e4, 1e4, 0.0, 0.0]])]
    ground_truth = [[True, False, False, False]]
    bounded = float(single_loss(scores[0], ground_truth, temperature=1.0, epsilon=1e-6))
    assert bounded == pytest.approx(-2 * math.log(1e-6) / 4, rel=1e-3)
    assert float(single_loss(scores[0], ground_truth, temperature=1.0)) > 1e3


def test_one_capacity_per_stage():
    message = "`capacities` must name one capacity per stage. Received: 1 capacities for 2 stages"
    for loss in (e2e_loss, lcron_loss):
        with pytest.raises(ValueError, match=message):
            loss([tf.zeros([1, 3])] * 2, [[True, False, False]], capacities=[2])
