"""The perturbed top-k against the expectation that it estimates."""

import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.sorting.perturbed_top_k import perturbed_top_k


def _cdf(x):
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def test_head_is_the_expected_top_1_of_two():
    # The first of two wins with probability Φ(gap / (√2·temperature)).
    head = perturbed_top_k([1.0, 0.3], 1, temperature=0.8, num_samples=100_000).head
    expected = _cdf(0.7 / (math.sqrt(2) * 0.8))
    np.testing.assert_allclose(head, [expected, 1 - expected], atol=0.005)


def test_gradient_is_that_of_the_expected_top_1_of_two():
    scores = tf.constant([1.0, 0.3])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        head = perturbed_top_k(scores, 1, temperature=0.8, num_samples=100_000).head[0]
    width = math.sqrt(2) * 0.8
    slope = math.exp(-0.5 * (0.7 / width) ** 2) / math.sqrt(2 * math.pi) / width
    np.testing.assert_allclose(tape.gradient(head, scores), [slope, -slope], rtol=0.03)


def test_gradient_is_that_of_the_smoothed_top_k():
    scores, weights = np.array([0.4, -0.2, 1.0, 0.1, -1.0]), np.array([1.0, -2.0, 3.0, 0.5, 1.0])
    variable = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        loss = tf.reduce_sum(weights * perturbed_top_k(variable, 2, temperature=0.5, num_samples=100_000).head)

    noise = np.random.default_rng(0).normal(size=[200_000, 5])

    def value(shifted):
        ranks = np.argsort(np.argsort(-(shifted + 0.5 * noise), axis=-1), axis=-1)
        return np.mean(ranks < 2, axis=0) @ weights

    expected = [(value(scores + 0.05 * unit) - value(scores - 0.05 * unit)) / 0.1 for unit in np.eye(5)]
    np.testing.assert_allclose(tape.gradient(loss, variable), expected, atol=0.03)


def test_the_gradient_follows_from_the_noise():
    # Two samples, z and -z, of two items: where they disagree about the best, the winner under z gains along z.
    scores = tf.constant([0.1, 0.0])
    disagreed = 0
    for seed in range(20):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            head = perturbed_top_k(scores, 1, num_samples=2, seed=(0, seed)).head
            loss = head[0] - head[1]
        gradient = tape.gradient(loss, scores).numpy()
        if np.allclose(head, [0.5, 0.5]):
            disagreed += 1
            assert gradient[0] > gradient[1]
        else:
            np.testing.assert_array_equal(gradient, [0, 0])
    assert 0 < disagreed < 20


def test_values_are_counts_of_samples_and_one_more():
    scores = np.random.default_rng(0).normal(size=7).astype(np.float32)
    survival = perturbed_top_k(scores, 3, num_samples=16)
    counts = survival.head.numpy() * 17 - 3 / 7
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-4)
    np.testing.assert_allclose(np.sum(counts), 48, atol=1e-3)
    np.testing.assert_allclose(np.sum(survival.head), 3, rtol=1e-6)
    np.testing.assert_allclose(survival.tail, 1 - survival.head, rtol=1e-5)


def test_an_item_that_no_sample_keeps_has_a_finite_logarithm():
    survival = perturbed_top_k([100.0, 0.0, 1.0, 2.0], 1, num_samples=10)
    np.testing.assert_allclose(survival.log_head, np.log([10.25 / 11, *[0.25 / 11] * 3]), rtol=1e-5)
    np.testing.assert_allclose(survival.log_tail, np.log([0.75 / 11, *[10.75 / 11] * 3]), rtol=1e-5)


def test_equal_seeds_give_equal_results():
    scores = tf.random.stateless_normal([2, 6], (0, 0))
    first, again = (perturbed_top_k(scores, 2, seed=(3, 4)).head.numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = perturbed_top_k(scores, 2, seed=tf.constant([3, 5], tf.int64)).head
    assert np.abs(other - first).max() > 0.005


def test_lists_of_a_batch_draw_their_own_noise():
    heads = perturbed_top_k(tf.tile([[0.1, 0.0, 0.2, 0.3]], [3, 1]), 2).head.numpy()
    assert np.abs(heads[0] - heads[1]).max() > 0.005
    assert np.abs(heads[1] - heads[2]).max() > 0.005


@pytest.mark.parametrize("list_size", [6, 8, 33])
@pytest.mark.parametrize("jit_compile", [None, False, True], ids=["eager", "tf.function", "xla"])
def test_noise_depends_neither_on_padding_nor_on_the_compiler(list_size, jit_compile):
    scores = np.random.default_rng(0).normal(size=[3, 5]).astype(np.float32)
    expected = perturbed_top_k(scores, 2, seed=(1, 2)).head

    def head(scores, where, seed):
        return perturbed_top_k(scores, 2, where=where, seed=seed).head

    if jit_compile is not None:
        head = tf.function(head, jit_compile=jit_compile, autograph=False)
    padded = np.pad(scores, [[0, 0], [list_size - 5, 0]])
    where = np.broadcast_to(np.arange(list_size) >= list_size - 5, padded.shape)
    actual = head(tf.constant(padded), tf.constant(where), tf.constant([1, 2]))
    np.testing.assert_allclose(actual[:, list_size - 5 :], expected, rtol=1e-6)


@pytest.mark.parametrize("num_samples", [0, -2, 7])
def test_samples_come_in_pairs(num_samples):
    with pytest.raises(
        ValueError, match=f"`num_samples` must be positive and even. Received: num_samples={num_samples}"
    ):
        perturbed_top_k(tf.zeros([3]), 1, num_samples=num_samples)
