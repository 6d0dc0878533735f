import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.catalogue_sampler import CatalogueSampler

LOG_FREQUENCY = np.log(np.array([1e-9, 0.5, 0.3, 0.2, 1e-300]))


def test_draws_follow_the_mix():
    sampler = CatalogueSampler(4, LOG_FREQUENCY, 0.6)
    rows = sampler.sample(200_000, tf.constant([3, 4])).numpy()
    expected = 0.6 * np.array([0, 0.5, 0.3, 0.2, 0]) + 0.4 * np.array([0, 0.25, 0.25, 0.25, 0.25])
    np.testing.assert_allclose(np.bincount(rows, minlength=5) / 200_000, expected, atol=0.005)
    counts = np.exp(sampler.log_expected_count(tf.range(1, 5), 200_000, tf.constant(0)))
    np.testing.assert_allclose(counts, 200_000 * expected[1:], rtol=1e-5)


def test_the_batch_adds_to_the_expected_count():
    sampler = CatalogueSampler(4, LOG_FREQUENCY, 0.0)
    counts = np.exp(sampler.log_expected_count(tf.constant([[1, 4]]), 8, tf.constant(10)))
    np.testing.assert_allclose(counts, [[8 / 4 + 10 * 0.5, 8 / 4]], rtol=1e-5)


def test_unknown_frequency_is_uniform_and_never_draws_row_zero():
    sampler = CatalogueSampler(3, None, 0.5)
    rows = sampler.sample(30_000, tf.constant([5, 6])).numpy()
    np.testing.assert_allclose(np.bincount(rows, minlength=4) / 30_000, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.02)
    assert not sampler.knows_frequency


def test_seed_decides():
    sampler = CatalogueSampler(1000, None, 0.5)
    first, again, other = (sampler.sample(50, tf.constant(seed)).numpy() for seed in ([1, 1], [1, 1], [1, 2]))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_share_out_of_range(share):
    with pytest.raises(
        ValueError, match=rf"`popularity_share` must be in \[0, 1\). Received: popularity_share={share}"
    ):
        CatalogueSampler(3, None, share)


def test_frequency_of_another_catalogue():
    with pytest.raises(ValueError, match=r"one entry per row of the catalogue, \[4\]. Received: shape \[3\]"):
        CatalogueSampler(3, np.zeros(3), 0.5)
