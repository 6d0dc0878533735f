"""Item ids to catalogue rows and back, inside the graph."""

from collections.abc import Sequence

import tensorflow as tf


class ItemLookup(tf.Module):
    """Two static tables over one file of item ids; in a SavedModel the file becomes an asset.

    Args:
      path: text file, one item id a line; line i (from 0) is catalogue row i + 1.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        whole_line, line_number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self._line_of_id = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(path, tf.string, whole_line, tf.int64, line_number), -1
        )
        self._id_of_line = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(path, tf.int64, line_number, tf.string, whole_line), ""
        )

    def rows(self, item_id: tf.Tensor) -> tf.Tensor:
        """Catalogue rows, int32 of the shape of `item_id`; 0 for an id that the catalogue lacks."""
        return tf.cast(self._line_of_id.lookup(item_id), tf.int32) + 1

    def ids(self, row: tf.Tensor) -> tf.Tensor:
        """Item ids, string of the shape of `row`; `""` for row 0."""
        return self._id_of_line.lookup(tf.cast(row, tf.int64) - 1)


def write_item_ids(item_ids: Sequence[bytes], path: str) -> None:
    """Writes the file that `ItemLookup` reads.

    Raises:
      ValueError: an id is empty or holds a line break.
    """
    for item_id in item_ids:
        if not item_id or b"\n" in item_id or b"\r" in item_id:
            raise ValueError(f"`item_id` must be text of one line. Received: {item_id!r}")
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(b"".join(item_id + b"\n" for item_id in item_ids))


def read_item_ids(path: str) -> tuple[bytes, ...]:
    """Reads what `write_item_ids` wrote."""
    with tf.io.gfile.GFile(path, "rb") as file:
        return tuple(file.read().split(b"\n")[:-1])
