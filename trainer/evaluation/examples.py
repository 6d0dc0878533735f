"""Streams parsed batches of the TFRecord files that the example generators write."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

EXAMPLES = "examples"

INT64 = tf.io.FixedLenFeature([], tf.int64)
STRING = tf.io.FixedLenFeature([], tf.string)
INT64_LIST = tf.io.RaggedFeature(tf.int64)
STRING_LIST = tf.io.RaggedFeature(tf.string)
FLOAT_LIST = tf.io.RaggedFeature(tf.float32)


def read_batches(
    files: Sequence[str],
    features: Mapping[str, Any],
    *,
    batch_size: int,
    max_examples: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yields batches in file order.

    Args:
      files: TFRecord files with GZIP compression, of serialized `tf.train.Example`.
      features: `tf.io` feature specification by feature name.
      batch_size: examples per batch.
      max_examples: stop after so many examples.

    Yields:
      A tensor `[B]` or ragged tensor `[B, None]` by feature name, and the serialized examples `[B]` under
      `EXAMPLES`.

    Raises:
      ValueError: if a file cannot be read or an example lacks a feature or has another type.
    """
    dataset = tf.data.TFRecordDataset(list(files), compression_type="GZIP")
    if max_examples is not None:
        dataset = dataset.take(max_examples)
    dataset = dataset.batch(batch_size)
    if features:
        dataset = dataset.map(
            lambda examples: {EXAMPLES: examples, **tf.io.parse_example(examples, dict(features))},
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    else:
        dataset = dataset.map(lambda examples: {EXAMPLES: examples})
    try:
        yield from dataset.prefetch(tf.data.AUTOTUNE)
    except tf.errors.OpError as error:
        shown = ", ".join(files[:3]) + (", …" if len(files) > 3 else "")
        raise ValueError(f"Cannot read examples from {shown}: {_first_line(error)}") from error


def _first_line(error: tf.errors.OpError) -> str:
    lines = [line for line in str(error.message).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
