"""Lazy Adam against its formula in NumPy, and against Adam where they must agree."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.model.lazy_adam import LazyAdam

RATE, BETA_1, BETA_2, EPSILON = 0.1, 0.8, 0.95, 1e-5
STEPS = [([0, 3, 0], [[1.0, -2.0], [0.5, 4.0], [2.0, 2.0]]), ([3], [[-1.0, 0.0]]), ([1, 3], [[7.0, 1.0], [0.1, 3.0]])]


def _table():
    return tf.Variable(np.arange(10, dtype=np.float32).reshape(5, 2))


def _slices(rows, values, num_rows=5):
    return tf.IndexedSlices(tf.constant(values), tf.constant(rows), tf.constant([num_rows, 2]))


def _optimizer(**changes):
    return LazyAdam(**{"learning_rate": RATE, "beta_1": BETA_1, "beta_2": BETA_2, "epsilon": EPSILON, **changes})


def _by_formula(steps):
    table = _table().numpy().astype(np.float64)
    mean, square = np.zeros_like(table), np.zeros_like(table)
    for number, (rows, values) in enumerate(steps, start=1):
        gradient = np.zeros_like(table)
        np.add.at(gradient, rows, values)
        for row in set(rows):
            mean[row] = BETA_1 * mean[row] + (1 - BETA_1) * gradient[row]
            square[row] = BETA_2 * square[row] + (1 - BETA_2) * gradient[row] ** 2
            rate = RATE * np.sqrt(1 - BETA_2**number) / (1 - BETA_1**number)
            table[row] -= rate * mean[row] / (np.sqrt(square[row]) + EPSILON)
    return table


@pytest.mark.parametrize("in_graph", [False, True])
def test_rows_follow_the_formula(in_graph):
    table, optimizer = _table(), _optimizer()
    optimizer.build([table])

    def step(rows, values):
        optimizer.apply_gradients([(tf.IndexedSlices(values, rows, tf.constant([5, 2])), table)])

    signature = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, 2])]
    step = tf.function(step, input_signature=signature, autograph=False) if in_graph else step
    for rows, values in STEPS:
        step(tf.constant(rows), tf.constant(values))
    np.testing.assert_allclose(table, _by_formula(STEPS), rtol=1e-5)


def test_a_row_that_is_not_looked_up_stays_to_the_bit():
    table, optimizer = _table(), _optimizer()
    optimizer.apply_gradients([(_slices(*STEPS[0]), table)])
    after_first = table.numpy()
    optimizer.apply_gradients([(_slices(*STEPS[1]), table)])
    np.testing.assert_array_equal(table.numpy()[[0, 1, 2, 4]], after_first[[0, 1, 2, 4]])
    assert (table.numpy()[3] != after_first[3]).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_is_adam_where_every_row_is_looked_up(sparse):
    tables = [_table(), _table()]
    optimizers = [_optimizer(), tf.keras.optimizers.Adam(RATE, BETA_1, BETA_2, EPSILON)]
    rng = np.random.default_rng(0)
    for _ in range(5):
        values = rng.normal(size=[5, 2]).astype(np.float32)
        gradient = _slices([4, 2, 0, 1, 3], values[[4, 2, 0, 1, 3]]) if sparse else tf.constant(values)
        optimizers[0].apply_gradients([(gradient, tables[0])])
        optimizers[1].apply_gradients([(tf.constant(values), tables[1])])
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-5)


def test_follows_a_schedule():
    rates = tf.keras.optimizers.schedules.PiecewiseConstantDecay([0], [RATE, 0.0])
    table, optimizer = _table(), _optimizer(learning_rate=rates)
    for rows, values in STEPS:
        optimizer.apply_gradients([(_slices(rows, values), table)])
    np.testing.assert_allclose(table, _by_formula(STEPS[:1]), rtol=1e-5)


def test_goes_on_from_a_checkpoint(tmp_path):
    table, optimizer = _table(), _optimizer()
    optimizer.apply_gradients([(_slices(*STEPS[0]), table)])
    path = tf.train.Checkpoint(table=table, optimizer=optimizer).save(tmp_path / "checkpoint")
    other_table, other = tf.Variable(tf.zeros([5, 2])), _optimizer()
    other.build([other_table])
    tf.train.Checkpoint(table=other_table, optimizer=other).restore(path).assert_consumed()
    for rows, values in STEPS[1:]:
        other.apply_gradients([(_slices(rows, values), other_table)])
    np.testing.assert_allclose(other_table, _by_formula(STEPS), rtol=1e-5)


def test_round_trip_of_the_configuration():
    config = _optimizer().get_config()
    rebuilt = tf.keras.optimizers.deserialize(tf.keras.optimizers.serialize(_optimizer()))
    assert rebuilt.get_config() == config
    assert config["learning_rate"] == pytest.approx(RATE)
    assert (config["beta_1"], config["beta_2"], config["epsilon"]) == (BETA_1, BETA_2, EPSILON)


def test_in_a_mirrored_strategy():
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        table, optimizer = _table(), _optimizer()
        optimizer.build([table])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, 2])])
    def step(rows, values):
        def replica(rows, values):
            optimizer.apply_gradients([(tf.IndexedSlices(values, rows, tf.constant([5, 2])), table)])

        strategy.run(replica, args=(rows, values))

    for rows, values in STEPS:
        step(tf.constant(rows), tf.constant(values))
    np.testing.assert_allclose(table.numpy(), _by_formula(STEPS), rtol=1e-5)
