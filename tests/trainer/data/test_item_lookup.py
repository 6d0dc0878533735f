import pytest
import tensorflow as tf

from trainer.data.item_lookup import ItemLookup, read_item_ids, write_item_ids

ITEM_IDS = (b"a", "é".encode(), b"with space")


def test_file_round_trip(tmp_path):
    path = str(tmp_path / "ids.txt")
    write_item_ids(ITEM_IDS, path)
    assert read_item_ids(path) == ITEM_IDS


def test_rows_and_ids(tmp_path):
    path = str(tmp_path / "ids.txt")
    write_item_ids(ITEM_IDS, path)
    lookup = ItemLookup(path)
    rows = lookup.rows(tf.constant([["with space", "a"], ["", "nothing"]]))
    assert rows.dtype == tf.int32
    assert rows.numpy().tolist() == [[3, 1], [0, 0]]
    assert lookup.ids(tf.constant([[2, 0], [1, 3]])).numpy().tolist() == [
        ["é".encode(), b""],
        [b"a", b"with space"],
    ]


@pytest.mark.parametrize("item_id", [b"", b"a\nb", b"a\r"])
def test_ids_of_more_or_less_than_a_line_are_refused(tmp_path, item_id):
    with pytest.raises(ValueError, match=r"`item_id` must be text of one line. Received: b'"):
        write_item_ids([b"x", item_id], str(tmp_path / "ids.txt"))
    assert not (tmp_path / "ids.txt").exists()
