"""Names the requests of a training step that went wrong."""

import json
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from trainer.data.batches import RequestBatches
from trainer.data.input import example_batches
from trainer.data.preprocessing import REQUEST_ID


def write_bad_batch(folder: Path, batches: RequestBatches, step: int, files: Sequence[str]) -> Path:
    """Writes epoch and step, from 1, and the ids of a step's requests as JSON.

    Args:
      folder: to write into; made if it is missing.
      batches: of the training split.
      step: of the whole run, from 0.
      files: gzipped TFRecord files that the training split was read from.

    Returns:
      The file, `<folder>/bad_batch_<step from 1>.json`.
    """
    epoch, step_of_epoch = divmod(step, batches.num_steps)
    wanted = tf.constant(batches.indices(epoch, step_of_epoch), tf.int64)
    spec = {REQUEST_ID: tf.io.FixedLenFeature([], tf.string)}
    examples = example_batches(files).unbatch().enumerate()
    picked = examples.filter(lambda index, _: tf.reduce_any(index == wanted))
    ids = [tf.io.parse_single_example(example, spec)[REQUEST_ID].numpy().decode() for _, example in picked]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"bad_batch_{step + 1}.json"
    path.write_text(json.dumps({"epoch": epoch + 1, "step": step_of_epoch + 1, "request_ids": ids}, indent=2) + "\n")
    return path
