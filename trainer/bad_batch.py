"""Names the requests of a training step that went wrong."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import tensorflow as tf

from trainer.preprocessing import REQUEST_ID


def write_bad_batch(path: Path, *, epoch: int, step: int, indices: Iterable[int], files: Sequence[str]) -> None:
    """Writes the ids of a batch's requests as JSON.

    Args:
      path: of the file to write; its folder is made.
      epoch: of the step, from 1.
      step: within the epoch, from 1.
      indices: of the requests, counted over the files from 0.
      files: gzipped TFRecord files of transformed request examples.
    """
    wanted = sorted(int(index) for index in indices)
    spec = {REQUEST_ID: tf.io.FixedLenFeature([], tf.string)}
    examples = tf.data.TFRecordDataset(list(files), compression_type="GZIP").enumerate()
    picked = examples.filter(lambda index, _: tf.reduce_any(index == tf.constant(wanted, tf.int64)))
    ids = [tf.io.parse_single_example(example, spec)[REQUEST_ID].numpy().decode() for _, example in picked]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"epoch": epoch, "step": step, "request_ids": ids}, indent=2) + "\n")
