import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.rank_flow import rank_flow_loss


@pytest.mark.parametrize("reference", ["two_n40_seed0", "two_n40_seed1_scale10"], indirect=True)
@pytest.mark.parametrize("alpha", [0, 0.25])
def test_two_stages_are_those_of_the_reference(reference, alpha):
    def loss(scores):
        return rank_flow_loss(
            scores, reference.ground_truth, capacities=[30, 10], distillation_weight=1 - alpha, pair_weight=alpha
        )

    reference.check(f"rankflow_alpha{alpha}", loss)


@pytest.mark.parametrize("reference", ["three_n50_seed0"], indirect=True)
def test_three_stages_are_those_of_the_reference(reference):
    reference.check("rankflow", lambda scores: rank_flow_loss(scores, reference.ground_truth, capacities=[40, 30, 20]))


def _bce(scores, is_positive):
    return np.mean([np.log(1 + np.exp(-s if positive else s)) for s, positive in zip(scores, is_positive, strict=True)])


def test_value_is_the_formula():
    first, second, third = [3.0, 2.0, 1.0, 0.0], [0.5, -1.0, 2.0, 9.0], [-0.5, 8.0, 1.5, 7.0]
    ground_truth = [True, False, False, True]
    # The first stage passes items 0, 1, 2 on; of these the second passes 2 and 0, of which the third keeps 2.
    bce = _bce(first, ground_truth) + _bce(second[:3], [True, False, False]) + _bce([-0.5, 1.5], [True, False])
    distillation = np.mean([2.5**2, 3.0**2, 1.0**2]) + np.mean([1.0**2, 0.5**2])
    pair = np.log(1 + np.exp(2 - (3 + 1) / 2)) + np.log(1 + np.exp(0.5 - 2))
    padded = [tf.constant([[*s, 99.0], [0.0] * 5], tf.float32) for s in (first, second, third)]
    loss = rank_flow_loss(
        padded,
        tf.constant([[*ground_truth, True], [False] * 5]),
        where=tf.constant([[True] * 4 + [False]] * 2),
        capacities=[3, 2, 1],
        distillation_weight=0.3,
        pair_weight=0.7,
    )
    assert float(loss) == pytest.approx(bce + 0.3 * distillation + 0.7 * pair, rel=1e-5)


def test_a_list_shorter_than_the_capacities_has_no_pairs():
    scores = [tf.constant([[1.0, -1.0]]), tf.constant([[1.0, -1.0]])]
    loss = rank_flow_loss(scores, tf.constant([[True, False]]), capacities=[9, 9])
    assert float(loss) == pytest.approx(2 * np.log(1 + np.exp(-1)), rel=1e-6)


def test_the_teacher_does_not_learn_from_its_student():
    scores = [tf.constant([[1.0, -1.0, 0.5]]), tf.constant([[5.0, -3.0, 2.0]])]
    ground_truth = tf.constant([[True, False, False]])

    def teacher_gradient(**weights):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = rank_flow_loss(scores, ground_truth, capacities=[3, 1], **weights)
        return tape.gradient(loss, scores)[1].numpy()

    alone = teacher_gradient(distillation_weight=0.0, pair_weight=0.0)
    np.testing.assert_array_equal(teacher_gradient(), alone)


def test_one_capacity_per_stage():
    message = "`capacities` must have one entry per stage. Received: 1 entries for 2 stages"
    with pytest.raises(ValueError, match=message):
        rank_flow_loss([tf.zeros([1, 3])] * 2, tf.constant([[True, False, False]]), capacities=[2])
