import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.arf import arf_loss
from trainer.losses.permutation_loss import permutation_loss
from trainer.sorting.neural_sort import neural_sort, neural_sort_permutation


@pytest.mark.parametrize(("version", "key"), [(1, "arf"), (2, "arf_v2")])
def test_sum_of_stages_and_its_terms_are_those_of_the_reference(reference, version, key):
    capacities = [int(reference[f"arf_m_{stage}"]) for stage in reference.stages]

    def stage_loss(scores, capacity):
        return arf_loss(
            scores, reference.labels, reference.ground_truth, capacity=capacity, version=version, epsilon=1e-6
        )

    terms = [stage_loss(s, m) for s, m in zip(reference.scores, capacities, strict=True)]
    for field, name in (("total", key), ("whole_order", f"{key}_global"), ("relaxed", f"{key}_relax")):
        for stage, of_stage in zip(reference.stages, terms, strict=True):
            value = getattr(of_stage, field)
            assert float(value) == pytest.approx(float(reference[f"{name}__{stage}_value"]), rel=1e-5)

        def loss(scores, field=field):
            return sum(getattr(stage_loss(s, m), field) for s, m in zip(scores, capacities, strict=True))

        reference.check(name, loss)


SCORES = tf.constant([[0.5, 9.0, 3.0, -1.0], [1.0, 2.0, 3.0, 4.0]])
LABELS = tf.constant([[3, 9, 2, 1], [2, 1, 0, 0]])
GROUND_TRUTH = tf.constant([[True, True, True, False], [True, False, False, False]])
WHERE = tf.constant([[True, False, True, True], [True, True, False, False]])


def _terms(version, **options):
    """Of one list with three items, and one with two, which a capacity of two does not cut."""
    return arf_loss(SCORES, LABELS, GROUND_TRUTH, where=WHERE, capacity=2, version=version, temperature=4.0, **options)


def test_first_version_is_the_formula():
    share = np.exp(neural_sort_permutation(np.float32([0.5, 3.0, -1.0]), temperature=4.0))[:2].mean(axis=0)
    terms = _terms(1)
    assert float(terms.relaxed) == pytest.approx(-(np.log(share[0]) + np.log(share[1])) / 3, rel=1e-5)


def test_second_version_is_the_formula():
    survival = neural_sort(np.float32([0.5, 3.0, -1.0]), 2, temperature=4.0)
    head, tail = survival.head.numpy(), survival.tail.numpy()
    expected = -(np.log(head[0]) + np.log(head[1]) + np.log(tail[2])) / 3
    assert float(_terms(2).relaxed) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("version", [1, 2])
def test_total_weights_the_whole_order(version):
    terms = _terms(version, log_variance=tf.constant(0.6))
    whole_order = permutation_loss(SCORES, LABELS, where=WHERE, temperature=4.0)
    assert float(terms.whole_order) == float(whole_order) > 0
    expected = 0.5 * np.exp(-0.6) * float(whole_order) + 0.5 * 0.6 + float(terms.relaxed)
    assert float(terms.total) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("version", [1, 2])
def test_each_list_may_have_its_own_capacity(version):
    scores = np.random.default_rng(0).normal(size=[2, 5]).astype(np.float32)
    labels = np.tile([4, 3, 2, 1, 0], [2, 1])
    loss = arf_loss(scores, labels, labels > 2, capacity=tf.constant([3, 1]), version=version).relaxed
    alone = [
        arf_loss(scores[i : i + 1], labels[:1], labels[:1] > 2, capacity=m, version=version).relaxed
        for i, m in enumerate([3, 1])
    ]
    assert float(loss) == pytest.approx(np.mean(alone), rel=1e-5)


def test_version_must_be_known():
    with pytest.raises(ValueError, match=r"`version` must be 1 or 2. Received: version=3"):
        _terms(3)
