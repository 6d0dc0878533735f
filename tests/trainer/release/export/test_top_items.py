import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.signatures import LOWEST_SCORE
from trainer.data.item_lookup import ItemLookup, write_item_ids
from trainer.release.export.top_items import answer, top_items

ROWS = tf.constant([[4, 2, 7, 0]])


@pytest.mark.parametrize(
    ("scores", "size", "expected"),
    [
        ([0.1, 0.3, 0.2, LOWEST_SCORE], 2, [2, 7]),
        ([0.1, 0.3, 0.2, LOWEST_SCORE], 9, [2, 7, 4, 0]),
        ([LOWEST_SCORE, -1e30, LOWEST_SCORE, LOWEST_SCORE], 3, [2, 0, 0]),
        ([1.0, 1.0, 1.0, LOWEST_SCORE], 2, [4, 2]),
        ([0.1, 0.3, 0.2, LOWEST_SCORE], 0, []),
    ],
)
def test_top_items(scores, size, expected):
    rows, best = top_items(tf.constant([scores]), ROWS, size)
    assert rows.numpy().tolist() == [expected]
    assert best.numpy().tolist() == [sorted(np.float32(scores).tolist(), reverse=True)[:size]]


@settings(max_examples=20, deadline=None)
@given(k=st.lists(st.integers(-2, 8), min_size=1, max_size=4), found=st.integers(0, 5))
def test_answer_has_what_was_found_up_to_each_k(tmp_path_factory, k, found):
    path = str(tmp_path_factory.mktemp("ids") / "ids.txt")
    write_item_ids([b"a", b"b", b"c", b"d", b"e"], path)
    rows = tf.tile(tf.range(1, found + 1)[tf.newaxis], [len(k), 1])
    outputs = answer(rows, -tf.cast(rows, tf.float32), tf.constant(k, tf.int32), ItemLookup(path))
    size = max(0, *k)
    for index, wanted in enumerate(k):
        number = max(0, min(wanted, found))
        ids = [b"a", b"b", b"c", b"d", b"e"][:number]
        assert outputs["item_id"].numpy()[index].tolist() == ids + [b""] * (size - number)
        lowest = [float(np.float32(LOWEST_SCORE))] * (size - number)
        assert outputs["score"].numpy()[index].tolist() == [-1.0, -2.0, -3.0, -4.0, -5.0][:number] + lowest
