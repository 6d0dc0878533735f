"""The differentiable sorting networks."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.sorting.bitonic_network import bitonic_network
from trainer.sorting.odd_even_network import odd_even_layers, odd_even_network
from trainer.sorting.sorting_network import Network, log_mixture
from trainer.sorting.survival import LOG_ZERO

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
CDF = {"cauchy": lambda z: 0.5 + np.arctan(z) / np.pi, "logistic": lambda z: 1 / (1 + np.exp(-z))}
both_networks = pytest.mark.parametrize("operator", [odd_even_network, bitonic_network])
both_swaps = pytest.mark.parametrize("swap", ["cauchy", "logistic"])


def _pairs(operator, size):
    """Returns the layers of a network, each a list of the positions that it compares."""
    if operator is odd_even_network:
        return [[(i, i + 1) for i in range(layer % 2, size - 1, 2)] for layer in range(size)]
    layers, run = [], 1
    while run < size:
        layers.append([(i, i ^ (2 * run - 1)) for i in range(size)])
        distance = run // 2
        while distance:
            layers.append([(i, i ^ distance) for i in range(size)])
            distance //= 2
        run *= 2
    return [[(i, j) for i, j in layer if i < j < size] for layer in layers]


def _matrix(operator, scores, temperature, swap):
    """Returns the soft permutation matrix of sorted scores as the product of the matrices of the layers."""
    values, product = np.array(scores), np.eye(len(scores))
    for layer in _pairs(operator, len(scores)):
        matrix = np.eye(len(scores))
        for i, j in layer:
            stay = CDF[swap]((values[i] - values[j]) / temperature)
            matrix[[i, j, i, j], [i, j, j, i]] = stay, stay, 1 - stay, 1 - stay
        values, product = matrix @ values, matrix @ product
    return product


@both_networks
@both_swaps
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_survival_is_the_column_sum_of_the_product_of_the_layers(operator, swap, size):
    scores = np.random.default_rng(size).normal(size=[size])
    order, k = np.argsort(-scores), (size + 1) // 2
    matrix = _matrix(operator, scores[order], 0.25, swap)
    survival = operator(scores, k, temperature=0.25, swap=swap)
    np.testing.assert_allclose(survival.head.numpy()[order], matrix[:k].sum(0), rtol=1e-9)
    np.testing.assert_allclose(survival.tail.numpy()[order], matrix[k:].sum(0), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", ["n8", "n40"])
def test_layers_are_those_of_the_reference(name):
    # The reference multiplies layers whose odds all come from the scores as given, which leaves them unsorted; its
    # matrix has a row per item. Layer by layer it is ours.
    vectors = np.load(VECTORS / "topk_ops.npz")
    scores = tf.constant(vectors[f"{name}_x"] * 10)
    num_lists, list_size = scores.shape
    size = tf.fill([num_lists, 1], list_size)
    rows = tf.where(tf.eye(list_size, dtype=tf.bool), 0.0, LOG_ZERO)
    rows = tf.repeat(rows[:, tf.newaxis], num_lists, axis=1)
    network = odd_even_layers(list_size)
    for t in reversed(range(list_size)):
        layer = Network(*(value[t : t + 1] for value in network))
        rows = log_mixture(rows, scores, size, layer, "cauchy")
    expected = vectors[f"{name}_oddeven_cauchy_steep10_P"].transpose(2, 0, 1)
    np.testing.assert_allclose(tf.exp(rows), expected, rtol=2e-5, atol=1e-6)


@both_networks
@pytest.mark.parametrize("list_size", [6, 8, 9, 33])
def test_the_amount_of_padding_changes_nothing_but_rounding(operator, list_size):
    scores = np.random.default_rng(0).normal(size=5)
    expected = operator(scores, 2)
    padded = operator(np.pad(scores, [0, list_size - 5]), 2, where=np.arange(list_size) < 5)
    np.testing.assert_allclose(padded.log_head[:5], expected.log_head, rtol=1e-12)
    np.testing.assert_allclose(padded.log_tail[:5], expected.log_tail, rtol=1e-12)


@both_swaps
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_better_of_two_items_survives_no_less(swap, seed):
    rng = np.random.default_rng(seed)
    scores, k = -np.sort(-rng.normal(size=[96, 12])), tf.constant(rng.integers(1, 12, size=96))
    log_head = odd_even_network(
        scores, k, temperature=tf.constant(10 ** rng.uniform(-2, 1, size=96)), swap=swap
    ).log_head
    assert (np.diff(log_head) < 1e-9).all()


@both_networks
def test_tied_items_share_survival_and_gradient(operator):
    scores = tf.constant([0.5, 2.0, 0.5, -1.0, 2.0, 0.5, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        log_head = operator(scores, 3).log_head
        loss = tf.reduce_sum(log_head)
    for values in (log_head.numpy(), tape.gradient(loss, scores).numpy()):
        for tied in ([0, 2, 5], [1, 4]):
            np.testing.assert_allclose(values[tied], [values[tied[0]]] * len(tied), rtol=1e-5)


@both_networks
@both_swaps
def test_gradient_is_that_of_the_matrix(operator, swap):
    scores, step = np.array([2.0, 1.3, 0.9, 0.2, -0.4, -1.0]), 1e-6
    scores_tensor = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(scores_tensor)
        survival = operator(scores_tensor, 2, temperature=0.5, swap=swap)
        loss = survival.log_head[3] + 2 * survival.log_tail[0]

    def value(shift):
        matrix = _matrix(operator, scores + shift, 0.5, swap)
        return np.log(matrix[:2, 3].sum()) + 2 * np.log(matrix[2:, 0].sum())

    expected = [(value(step * unit) - value(-step * unit)) / (2 * step) for unit in np.eye(6)]
    np.testing.assert_allclose(tape.gradient(loss, scores_tensor), expected, rtol=1e-6, atol=1e-8)


@both_networks
@both_swaps
def test_a_hopeless_item_keeps_a_gradient(operator, swap):
    scores = tf.constant([30.0, 20.0, 10.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        log_head = operator(scores, 1, temperature={"cauchy": 1e-10, "logistic": 0.1}[swap], swap=swap).log_head[3]
    assert -1000 < log_head < -20
    gradient = tape.gradient(log_head, scores)
    assert gradient[3] > 0 > gradient[0]


@both_networks
def test_a_list_size_unknown_while_tracing(operator):
    compiled = tf.function(operator, autograph=False).get_concrete_function(
        tf.TensorSpec([None, None]), 2, where=tf.TensorSpec([None, None], tf.bool)
    )
    for list_size in (3, 9):
        scores = tf.random.stateless_normal([2, list_size], (0, list_size))
        where = tf.sequence_mask([list_size, 2], list_size)
        head = compiled(scores=scores, where=where).head
        np.testing.assert_allclose(head, operator(scores, 2, where=where).head, rtol=1e-5)


@both_networks
def test_swap_must_be_known(operator):
    with pytest.raises(ValueError, match=r"`swap` must be one of \('cauchy', 'logistic'\). Received: swap='normal'"):
        operator(tf.zeros([3]), 1, swap="normal")
