import numpy as np
import tensorflow as tf

from trainer.data.labels import graded_labels

STAGE = tf.ragged.constant([[2, 2, 1, 0], [2], []], dtype=tf.int64)
RANK = tf.ragged.constant([[2, 1, 0, 0], [9], []], dtype=tf.int64)


def test_stage_and_rank_where_no_label_is_logged():
    labels = graded_labels(STAGE, RANK, tf.ragged.constant([[], [], []], dtype=tf.float32, ragged_rank=1))
    np.testing.assert_allclose(labels, [[2 + 1 / 3, 2.5, 1, 0], [2.1, 0, 0, 0], [0, 0, 0, 0]], rtol=1e-6)


def test_logged_labels_win_request_by_request():
    labels = graded_labels(STAGE, RANK, tf.ragged.constant([[], [7.5], []], dtype=tf.float32))
    np.testing.assert_allclose(labels, [[2 + 1 / 3, 2.5, 1, 0], [7.5, 0, 0, 0], [0, 0, 0, 0]], rtol=1e-6)
