import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.icc import icc_loss


def test_loss_is_that_of_the_reference(reference):
    if reference.num_stages == 2:
        capacities, weights = [int(reference["icc_k"])] * 2, None
    else:
        later = int(reference["icc_k_prerank_and_rank"])
        capacities, weights = [int(reference["icc_k_retrieval"]), later, later], [1, 2, 4]

    def loss(scores):
        return icc_loss(
            scores,
            reference.labels,
            capacities=capacities,
            stage_weights=weights,
            temperature=1e-3,
            ties="by_position",
        )

    reference.check("icc", loss, gradient_tolerance=1e-3)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_value_is_the_formula():
    first, second, third = np.array([[1.0, 0.2, 0.6], [0.1, 0.9, 0.4], [0.3, 0.2, -0.7]])
    labels, temperature = [2, 1, 1], 0.5
    pass_first = _sigmoid((first - 0.6) / temperature)  # two of three
    pass_third = _sigmoid((third - 0.3) / temperature)  # one; the second stage, with a capacity of three, passes all
    cascade = 2 * (1 - pass_first) * first + 7 * pass_first * pass_third * third
    pairs = [(0, 1), (0, 2)]
    expected = sum(np.log(1 + np.exp(cascade[j] - cascade[i])) for i, j in pairs) / 3**2
    padded = [tf.constant([[*s, 9.0], [1.0, 2.0, 3.0, 4.0]], tf.float32) for s in (first, second, third)]
    loss = icc_loss(
        padded,
        tf.constant([[*labels, 9], [0, 0, 0, 5]]),
        where=tf.constant([[True, True, True, False]] * 2),
        capacities=[2, 3, 1],
        temperature=temperature,
        stage_weights=[2.0, 5.0, 7.0],
    )
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_ties_by_position_rank_the_later_item_higher():
    scores = [tf.constant([[1.0, 0.0]])] * 2
    loss = icc_loss(scores, tf.constant([[1, 1]]), capacities=[2, 2], ties="by_position")
    assert float(loss) == pytest.approx(np.log(1 + np.exp(1)) / 4, rel=1e-6)
    assert float(icc_loss(scores, tf.constant([[1, 1]]), capacities=[2, 2])) == 0


def test_each_list_may_have_its_own_capacities():
    rng = np.random.default_rng(0)
    scores = [rng.normal(size=[2, 5]).astype(np.float32) for _ in range(2)]
    labels = rng.permutation(10).reshape(2, 5)
    together = icc_loss(scores, labels, capacities=[tf.constant([4, 3]), tf.constant([2, 1])])
    alone = [
        icc_loss([s[i : i + 1] for s in scores], labels[i : i + 1], capacities=capacities)
        for i, capacities in enumerate([[4, 2], [3, 1]])
    ]
    assert float(together) == pytest.approx(np.mean(alone), rel=1e-5)


def test_the_cut_off_is_differentiated():
    """Raising the last item that passes raises the bar for the one below it."""
    scores = [tf.constant([[3.0, 2.0, 1.0]]), tf.constant([[0.0, 0.0, 5.0]])]
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = icc_loss(scores, tf.constant([[1, 1, 0]]), capacities=[2, 3], temperature=1.0)
    gradient = tape.gradient(loss, scores)[0].numpy()[0]
    assert gradient[1] < 0 < gradient[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"capacities": [2]}, "`capacities` must have one entry per stage. Received: 1 entries for 2 stages"),
        ({"stage_weights": [1.0] * 3}, "`stage_weights` must have one entry per stage. Received: 3 entries for 2"),
        ({"temperature": 0.0}, "`temperature` must be positive. Received: temperature=0.0"),
        ({"ties": "random"}, "`ties` must be 'ignore' or 'by_position'. Received: ties='random'"),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        icc_loss([tf.zeros([1, 3])] * 2, tf.zeros([1, 3]), **{"capacities": [2, 1], **options})
