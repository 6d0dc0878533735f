import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.fs_ranknet import fs_ranknet_loss


@pytest.mark.parametrize("reference", ["two_n40_seed0", "two_n40_seed1_scale10", "three_n50_seed0"], indirect=True)
def test_sum_of_stages_is_that_of_the_reference(reference):
    reference.check("fs_ranknet", lambda scores: sum(fs_ranknet_loss(s, reference.candidate_stage) for s in scores))
    parts = [reference[key] for key in reference.vectors if key.startswith("fs_ranknet__") and key.endswith("parts")]
    totals = [float(fs_ranknet_loss(s, reference.candidate_stage)) for s in reversed(reference.scores)]
    np.testing.assert_allclose(totals, np.reshape(parts, [reference.num_stages, -1])[:, 0], rtol=1e-5)


def test_each_stage_is_the_mean_over_its_pairs_of_the_batch():
    scores = tf.constant([[1.0, 3.0, 0.5, 7.0], [2.0, -1.0, 0.0, 7.0]])
    candidate_stage = tf.constant([[5, 2, 0, 5], [2, 2, 0, 9]])
    where = tf.constant([[True, True, True, False]] * 2)

    def pair(better, worse):
        return np.log(1 + np.exp(worse - better))

    stage_5 = [pair(1, 3), pair(1, 0.5)]
    stage_2 = [pair(3, 0.5), pair(2, 0), pair(-1, 0)]
    loss = fs_ranknet_loss(scores, candidate_stage, where=where)
    assert float(loss) == pytest.approx(np.mean(stage_5) + np.mean(stage_2), rel=1e-6)


def test_the_numbers_of_the_stages_do_not_matter():
    scores = np.random.default_rng(0).normal(size=[3, 6]).astype(np.float32)
    stage = np.random.default_rng(1).integers(0, 4, size=[3, 6])
    loss = fs_ranknet_loss(scores, stage)
    renamed = fs_ranknet_loss(scores, np.array([-3, 1, 2, 1000], np.int64)[stage])
    assert float(renamed) == pytest.approx(float(loss), rel=1e-6)


def test_padding_counts_on_neither_side_of_a_pair():
    scores = tf.constant([[0.0, 0.0, 5.0, -5.0]])
    where = tf.constant([[True, True, False, False]])
    loss = fs_ranknet_loss(scores, tf.constant([[1, 0, 2, -1]]), where=where)
    assert float(loss) == pytest.approx(np.log(2))
