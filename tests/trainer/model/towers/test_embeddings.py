"""Lookups of several columns at once against one lookup each."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.model.towers.embeddings import SMALL_TABLE_SIZE, embed, embedding, mean_of_events

LARGE = SMALL_TABLE_SIZE + 1


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "tables",
    [
        [(3, 2)],
        [(3, 2), (4, 2), (2, 2)],
        [(3, 2), (4, 3), (2, 3), (5, 2)],
        [(LARGE, 2), (3, 2), (4, 2)],
        [(3, 2), (LARGE, 2), (4, 2), (LARGE, 1), (LARGE, 1)],
    ],
    ids=str,
)
def test_embed_is_one_lookup_per_column(tables, jit_compile):
    layers = [embedding(rows, width, f"table_{index}") for index, (rows, width) in enumerate(tables)]
    rng = np.random.default_rng(0)
    columns = tf.constant(np.stack([rng.integers(0, rows, [4, 3]) for rows, _ in tables], axis=-1), tf.int32)
    weights = tf.constant(rng.normal(size=[4, 3, sum(width for _, width in tables)]), tf.float32)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def together():
        with tf.GradientTape() as tape:
            values = embed(layers, columns)
            loss = tf.reduce_sum(weights * values)
        return values, [tf.convert_to_tensor(g) for g in tape.gradient(loss, [layer.embeddings for layer in layers])]

    values, gradients = together()
    lookups = [layer.embeddings.numpy()[columns[..., index]] for index, layer in enumerate(layers)]
    np.testing.assert_array_equal(values, np.concatenate(lookups, axis=-1))
    start = 0
    for index, (rows, width) in enumerate(tables):
        expected = np.zeros([rows, width], np.float32)
        np.add.at(expected, columns[..., index].numpy(), weights[..., start : start + width].numpy())
        np.testing.assert_allclose(gradients[index], expected, rtol=1e-5, atol=1e-6)
        start += width


def test_the_gradient_of_a_large_table_holds_its_looked_up_rows_alone():
    table = embedding(LARGE, 2, "table")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(embed([table], tf.constant([[5], [7], [5]])))
    gradient = tape.gradient(loss, table.embeddings)
    assert isinstance(gradient, tf.IndexedSlices)
    assert gradient.indices.numpy().tolist() == [5, 7, 5]


def test_mean_of_events():
    events = tf.constant([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]], [[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]])
    where = tf.constant([[True, True, False], [False, False, False]])
    np.testing.assert_allclose(mean_of_events(events, where), [[2.0, 4.0], [0.0, 0.0]])
