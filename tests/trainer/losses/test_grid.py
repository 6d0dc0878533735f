"""The grid that every loss passes."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.config.operator_kind import DEFAULT_TEMPERATURES
from trainer.losses.arf import arf_loss
from trainer.losses.bce import bce_loss
from trainer.losses.fs_lambda_loss import fs_lambda_loss
from trainer.losses.fs_ranknet import fs_ranknet_loss
from trainer.losses.icc import icc_loss
from trainer.losses.lcron import e2e_loss, lcron_loss, single_loss
from trainer.losses.permutation_loss import permutation_loss
from trainer.losses.rank_flow import rank_flow_loss
from trainer.losses.ranking_loss import KEYS, ranking_loss
from trainer.sorting.operators import OPERATORS
from trainer.sorting.soft_sort import soft_sort_permutation

NUM_STAGES = 3
CAPACITIES = [4, 3, 2]


@dataclasses.dataclass
class Lists:
    """What the losses know of `[..., list_size]` items besides their scores."""

    labels: np.ndarray
    where: np.ndarray

    @property
    def ground_truth(self):
        return self.labels > 2

    def __getitem__(self, index):
        return Lists(self.labels[index], self.where[index])


def _ranking(key):
    return lambda scores, lists: ranking_loss(scores[0], lists.labels, where=lists.where, key=key)


# Losses that TensorFlow Ranking draws at random, or that give padding a score rather than leave it out.
INEXACT_KEYS = ("list_mle_loss", "yeti_logistic_loss", "gumbel_approx_ndcg_loss", "coupled_rankdistil_loss")


def _lcron(kind):
    """Of two stages, one at the size of the ground truth and one at a capacity: three sorts are all that there is."""
    operator, temperature = OPERATORS[kind], DEFAULT_TEMPERATURES[kind]
    epsilon = 1e-6 if kind == "sparse_top_k" else 0.0  # its survivals reach zero

    def loss(scores, lists):
        return lcron_loss(
            scores[:2],
            lists.ground_truth,
            where=lists.where,
            capacities=[None, 2],
            operator=operator,
            temperature=temperature,
            epsilon=epsilon,
        ).total

    return loss


INEXACT = {key: _ranking(key) for key in INEXACT_KEYS}
LCRON = {f"lcron_{kind}": _lcron(kind) for kind in OPERATORS}
EXACT = {
    "bce": lambda scores, lists: bce_loss(scores[0], lists.ground_truth, where=lists.where),
    "fs_ranknet": lambda scores, lists: fs_ranknet_loss(scores[0], lists.labels, where=lists.where),
    "fs_lambda_loss": lambda scores, lists: fs_lambda_loss(scores[0], lists.labels, where=lists.where),
    "fs_lambda_loss_top_2": lambda scores, lists: fs_lambda_loss(scores[0], lists.labels, where=lists.where, top_n=2),
    "icc": lambda scores, lists: icc_loss(scores, lists.labels, where=lists.where, capacities=_capacities(scores)),
    "rank_flow": lambda scores, lists: rank_flow_loss(
        scores, lists.ground_truth, where=lists.where, capacities=_capacities(scores)
    ),
    "arf": lambda scores, lists: _arf(scores[0], lists, version=1),
    "arf_v2": lambda scores, lists: _arf(scores[0], lists, version=2),
    "permutation_neural_sort": lambda scores, lists: permutation_loss(scores[0], lists.labels, where=lists.where),
    "permutation_soft_sort": lambda scores, lists: permutation_loss(
        scores[0], lists.labels, where=lists.where, permutation=soft_sort_permutation
    ),
    "lcron_single": lambda scores, lists: single_loss(scores[0], lists.ground_truth, where=lists.where),
    "lcron_e2e": lambda scores, lists: e2e_loss(
        scores, lists.ground_truth, where=lists.where, capacities=_capacities(scores)
    ),
    "lcron": lambda scores, lists: lcron_loss(scores, lists.ground_truth, where=lists.where).total,
    **{key: _ranking(key) for key in KEYS if key not in INEXACT_KEYS},
}
every_loss = pytest.mark.parametrize("loss", [*EXACT.values(), *INEXACT.values()], ids=[*EXACT, *INEXACT])
every_loss_and_operator = pytest.mark.parametrize(
    "loss", [*EXACT.values(), *INEXACT.values(), *LCRON.values()], ids=[*EXACT, *INEXACT, *LCRON]
)
BOTH_KINDS, ONE_KIND = [[0, 4, 3, 1, 1, 4]], [[0] * 6, [4] * 6]
every_exact_loss = pytest.mark.parametrize("loss", EXACT.values(), ids=EXACT.keys())
every_loss_of_ours = pytest.mark.parametrize(
    "loss", [pytest.param(EXACT[key], id=key) for key in EXACT if key != "lcron_single" and key not in KEYS]
)
"""Without those of TensorFlow Ranking, and without LCRON's term of single stages, which is in the sum. Its term of the
cascade stays, for the capacities."""


def _capacities(scores):
    return CAPACITIES[: len(scores)]


def _arf(scores, lists, version):
    return arf_loss(scores, lists.labels, lists.ground_truth, where=lists.where, capacity=2, version=version).total


def _random(seed, shape, spread=1.0):
    rng = np.random.default_rng(seed)
    scores = [(rng.normal(size=shape) * spread).astype(np.float32) for _ in range(NUM_STAGES)]
    labels = rng.integers(0, 5, size=shape).astype(np.float32)
    labels[..., 0], labels[..., 1] = 4, 0  # every list has ground truth and negatives
    where = rng.random(shape) < 0.8
    where[..., :2] = True
    return scores, Lists(labels, where)


def _value_and_gradients(loss, scores, lists):
    scores = [tf.convert_to_tensor(s) for s in scores]
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = loss(scores, lists)
    gradients = tape.gradient(value, scores, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return float(value), [tf.cast(gradient, tf.float32).numpy() for gradient in gradients]


@every_exact_loss
def test_padded_equals_compacted(loss):
    scores, lists = _random(0, [1, 9])
    lists.where[:] = [[1, 1, 0, 1, 1, 0, 1, 0, 1]]
    real = lists.where[0]
    for s in scores:
        s[~lists.where] = [np.nan, 1e30, -np.inf]
    lists.labels[~lists.where] = [9, -1, 0]
    value, gradients = _value_and_gradients(loss, scores, lists)
    expected, expected_gradients = _value_and_gradients(loss, [s[:, real] for s in scores], lists[:, real])
    assert value == pytest.approx(expected, rel=1e-5)
    assert value != 0
    for gradient, compact in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient[:, real], compact, rtol=1e-4, atol=1e-6)
        assert (gradient[:, ~real] == 0).all()


@every_loss_and_operator
def test_everything_is_finite_and_zero_on_padding(loss):
    _check_hard_lists(loss, [*BOTH_KINDS, *ONE_KIND])


@every_loss
def test_lists_of_one_kind_alone_are_zero(loss):
    assert _check_hard_lists(loss, ONE_KIND) == 0


def _check_hard_lists(loss, labels):
    """Returns the loss of lists with each of the labels, hard scores and sizes."""
    hard = [[1e4, -1e4, 1e4, 0, -5, 2], [7] * 6, [1e4, 1e4 + 1, 1e4 + 2, -1e4, 0, 1], [-1e4] * 6]
    num_valid = np.tile([6, 3, 1, 0], len(labels) * len(hard))
    where = np.arange(6) < num_valid[:, np.newaxis]
    scores = np.tile(np.repeat(np.array(hard, np.float32), 4, axis=0), [len(labels), 1])
    stages = [np.roll(scores, shift, axis=1) for shift in range(NUM_STAGES)]
    labels = np.repeat(np.array(labels, np.float32), 4 * len(hard), axis=0)
    value, gradients = _value_and_gradients(loss, stages, Lists(labels, where))
    assert np.isfinite(value)
    teaches = (num_valid > 1) & (labels[:, 0] != labels[:, 1])  # lists of one kind of items teach nothing
    for gradient in gradients:
        assert np.isfinite(gradient).all()
        assert (gradient[~where] == 0).all()
        assert (gradient[~teaches] == 0).all()
    return value


@every_exact_loss
def test_lists_that_teach_nothing_are_not_counted(loss):
    scores, lists = _random(1, [4, 8])
    lists.labels[1] = 0  # no ground truth
    lists.labels[2] = 4  # no negatives
    lists.where[3] = False  # no items
    value, gradients = _value_and_gradients(loss, scores, lists)
    alone, expected = _value_and_gradients(loss, [s[:1] for s in scores], lists[:1])
    assert value == pytest.approx(alone, rel=1e-5)
    for gradient, gradient_alone in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient[:1], gradient_alone, rtol=1e-4, atol=1e-7)
        assert (gradient[1:] == 0).all()


@every_exact_loss
def test_leading_batch_dimensions(loss):
    scores, lists = _random(2, [2, 3, 7])
    value, gradients = _value_and_gradients(loss, scores, lists)
    flat = Lists(lists.labels.reshape(6, 7), lists.where.reshape(6, 7))
    expected, flat_gradients = _value_and_gradients(loss, [s.reshape(6, 7) for s in scores], flat)
    assert value == pytest.approx(expected, rel=1e-5)
    for gradient, flat_gradient in zip(gradients, flat_gradients, strict=True):
        np.testing.assert_allclose(gradient.reshape(6, 7), flat_gradient, rtol=1e-4, atol=1e-7)


@every_exact_loss
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_is_computed_in_float32(loss, dtype):
    scores, lists = _random(3, [3, 8], spread=30)
    rounded = [tf.cast(s, dtype) for s in scores]
    value = loss(rounded, lists)
    assert value.dtype == tf.float32
    expected = loss([tf.cast(s, tf.float32) for s in rounded], lists)
    assert float(value) == pytest.approx(float(expected), rel=1e-5)


@every_loss_of_ours
def test_compiled_equals_eager(loss):
    """As a graph and by XLA, of two stages: each more is only compiled once more."""
    scores, lists = _random(4, [3, 8])
    scores = scores[:2]
    value, gradients = _value_and_gradients(loss, scores, lists)

    def spec(dtype):
        return tf.TensorSpec([None, None], dtype)  # neither the batch nor the lists have a fixed size

    @tf.function(input_signature=[spec(tf.float32)] * 3 + [spec(tf.bool)], autograph=False)
    def graph(first, second, labels, where):
        with tf.GradientTape() as tape:
            tape.watch([first, second])
            value = loss([first, second], Lists(labels, where))
        return value, tape.gradient(value, [first, second], unconnected_gradients=tf.UnconnectedGradients.ZERO)

    by_xla = tf.function(graph.get_concrete_function(), input_signature=graph.input_signature, jit_compile=True)
    for compiled in (graph, by_xla):
        compiled_value, compiled_gradients = compiled(*scores, lists.labels, lists.where)
        assert float(compiled_value) == pytest.approx(value, rel=1e-5)
        for gradient, expected in zip(compiled_gradients, gradients, strict=True):
            np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-6)


@every_loss
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), spread=st.sampled_from([1e-3, 1.0, 30.0, 1e4]))
def test_random_lists(loss, seed, spread):
    """Whatever the scores, all is finite and the order of the items does not matter."""
    scores, lists = _random(seed, [6, 7], spread)
    value, gradients = _value_and_gradients(loss, scores, lists)
    assert np.isfinite(value)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert all((gradient[~lists.where] == 0).all() for gradient in gradients)
    if loss in INEXACT.values():
        return
    order = np.random.default_rng(seed).permutation(7)
    permuted, permuted_gradients = _value_and_gradients(loss, [s[:, order] for s in scores], lists[:, order])
    assert permuted == pytest.approx(value, rel=1e-4, abs=1e-6)
    for gradient, expected in zip(permuted_gradients, gradients, strict=True):
        scale = max(np.abs(expected).max(), 1e-3)
        np.testing.assert_allclose(gradient, expected[:, order], rtol=1e-3, atol=1e-4 * scale)


@every_exact_loss
def test_a_step_down_the_gradient_lowers_the_loss(loss):
    scores, lists = _random(5, [4, 8])
    value, gradients = _value_and_gradients(loss, scores, lists)
    norm = np.sqrt(sum(np.square(gradient).sum() for gradient in gradients))
    step = 1e-3 / norm
    lower, _ = _value_and_gradients(loss, [s - step * g for s, g in zip(scores, gradients, strict=True)], lists)
    assert lower < value
