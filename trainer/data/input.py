"""Transformed examples as the arrays and batches that the model trains on."""

import dataclasses
import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from serving import signatures
from trainer.data.catalogue_misses import CatalogueMisses
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.data.item_table import ItemTable
from trainer.data.labels import graded_labels
from trainer.data.preprocessing import CANDIDATE_LABEL, CANDIDATE_RANK
from trainer.data.request_batch import (
    CANDIDATE_ITEM,
    CANDIDATE_STAGE,
    GROUND_TRUTH,
    LABELS,
    REQUEST_DAY,
    WHERE,
    history_batch,
    padded,
)

Requests = dict[str, np.ndarray]
"""A whole split, in memory or mapped from a file: the training batch of every request, `[num_requests, ...]` by key."""

_PARSE_BATCH_SIZE = 1024
_NUM_PARALLEL_FILES = 16  # not the number of cores: the order of the requests depends on it
_TFRECORD_BYTES = 16  # that a TFRecord file holds for each record beside the record
_LOWEST = tf.float32.min
_NUM_BYTES = "num_bytes"


@dataclasses.dataclass(frozen=True)
class ParsedBatch:
    """Some requests of a split.

    Args:
      requests: their arrays, `[batch_size, ...]` by key.
      misses: how many of their items the catalogue lacks.
      num_bytes: that they take in the TFRecord files, before compression.
    """

    requests: Requests
    misses: CatalogueMisses
    num_bytes: int


def read_item_table(files: Sequence[str], features: tuple[EncodedFeature, ...]) -> ItemTable:
    """Reads the transformed catalogue.

    Args:
      files: gzipped TFRecord files of transformed catalogue examples.
      features: the encoded item features.

    Returns:
      The item table, its rows in the order of the item ids. The unknown item of row 0 has the last id of
      every feature, which is "out of vocabulary" for a categorical one.

    Raises:
      ValueError: there is no item, or an item comes twice.
    """
    spec = {feature.name: tf.io.FixedLenFeature([], tf.int64) for feature in features}
    spec[signatures.ITEM_ID] = tf.io.FixedLenFeature([], tf.string)
    examples = example_batches(files).map(lambda batch: tf.io.parse_example(batch, spec), tf.data.AUTOTUNE)
    columns = _concatenate(list(examples.as_numpy_iterator()))
    if not columns:
        raise ValueError(f"The catalogue must hold at least one item. Received: none in {list(files)}")
    return item_table(columns, features)


def item_table(columns: Mapping[str, np.ndarray], features: tuple[EncodedFeature, ...]) -> ItemTable:
    """Makes the item table of encoded items.

    Args:
      columns: `item_id`, bytes `[num_items]`, and every encoded feature by name, int `[num_items]`.
      features: the encoded item features.

    Returns:
      The table that `read_item_table` describes.

    Raises:
      ValueError: an item comes twice.
    """
    item_ids = columns[signatures.ITEM_ID]
    order = np.argsort(item_ids)
    item_ids = item_ids[order]
    for first, second in itertools.pairwise(item_ids):
        if first == second:
            raise ValueError(f"An item is in the catalogue once. Received `item_id` {first.decode()!r} twice")
    encoded = np.zeros([len(item_ids) + 1, len(features)], np.int32)
    for column, feature in enumerate(features):
        encoded[0, column] = feature.cardinality - 1
        encoded[1:, column] = columns[feature.name][order]
    return ItemTable(tuple(item_ids), encoded, features)


def example_batches(files: Sequence[str]) -> tf.data.Dataset:
    """Reads serialized examples, several files at a time.

    Args:
      files: gzipped TFRecord files.

    Returns:
      Batches of strings `[B]`. Their order, in turns from several files, is the same each time, on any machine.
    """

    def read(file: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(file, compression_type="GZIP").batch(_PARSE_BATCH_SIZE)

    names = tf.data.Dataset.from_tensor_slices(tf.constant(list(files), tf.string))
    return names.interleave(
        read, cycle_length=_NUM_PARALLEL_FILES, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )


def parse_requests(
    files: Sequence[str],
    features: FeatureSpec,
    request_features: Sequence[EncodedFeature],
    item_ids: Sequence[bytes],
) -> Iterator[ParsedBatch]:
    """Parses transformed requests, on all cores and never many at a time.

    Lists longer than `FeatureSpec` allows are cut: a history to its latest events, candidates to the best by
    label in the order of the log.

    Args:
      files: gzipped TFRecord files of transformed request examples.
      features: the declared features and list sizes.
      request_features: the encoded request features.
      item_ids: ids of the catalogue; item i has row i + 1.

    Yields:
      The arrays of the training batch (`docs/reference.md`, "Training batch") and the days of the requests, in the
      order of `example_batches`.

    Raises:
      ValueError: there is no request.
      tf.errors.InvalidArgumentError: lists of a request that belong together differ in length.
    """
    rows = tf.range(1, len(item_ids) + 1, dtype=tf.int32)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tf.constant(item_ids), rows), 0)
    scalars = [*(feature.name for feature in request_features), REQUEST_DAY]
    spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in scalars}
    lists = {
        signatures.HISTORY_ITEM_ID: tf.string,
        **{feature.example_name: tf.int64 for feature in features.history},
        signatures.CANDIDATE_ITEM_ID: tf.string,
        CANDIDATE_STAGE: tf.int64,
        CANDIDATE_RANK: tf.int64,
        CANDIDATE_LABEL: tf.float32,
    }
    spec |= {name: tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64) for name, dtype in lists.items()}

    @tf.autograph.experimental.do_not_convert  # which only takes time: nothing here branches on the value of a tensor
    def parse(examples: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        parsed = tf.io.parse_example(examples, spec)
        batch = {name: tf.cast(parsed[name], tf.int32) for name in scalars}
        batch |= history_batch(parsed, features, table.lookup) | _candidate_batch(parsed, features, table.lookup)
        num_bytes = tf.reduce_sum(tf.cast(tf.strings.length(examples), tf.int64) + _TFRECORD_BYTES)
        return batch, _count_misses(parsed, table.lookup) | {_NUM_BYTES: num_bytes}

    is_empty = True
    parsed_batches = example_batches(files).map(parse, tf.data.AUTOTUNE, deterministic=True)
    for requests, counts in parsed_batches.prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
        is_empty = False
        num_bytes = int(counts.pop(_NUM_BYTES))
        misses = CatalogueMisses(**{name: int(count) for name, count in counts.items()})
        yield ParsedBatch(requests, misses, num_bytes)
    if is_empty:
        raise ValueError(f"The requests must be at least one. Received: none in {list(files)}")


def read_requests(
    files: Sequence[str],
    features: FeatureSpec,
    request_features: Sequence[EncodedFeature],
    item_ids: Sequence[bytes],
) -> tuple[Requests, CatalogueMisses]:
    """Parses transformed requests into memory.

    Takes what `parse_requests` takes, and raises what it raises.

    Returns:
      The arrays of all requests, and how many of the logged items the catalogue lacks.
    """
    parts = list(parse_requests(files, features, request_features, item_ids))
    misses = functools.reduce(operator.add, (part.misses for part in parts))
    return _concatenate([part.requests for part in parts]), misses


def _candidate_batch(
    parsed: dict[str, tf.RaggedTensor], features: FeatureSpec, item_rows: Callable[[tf.Tensor], tf.Tensor]
) -> dict[str, tf.Tensor]:
    num_candidates = parsed[signatures.CANDIDATE_ITEM_ID].row_lengths()
    for name in (CANDIDATE_STAGE, CANDIDATE_RANK):
        message = f"`{name}` must have one value for each of `{signatures.CANDIDATE_ITEM_ID}`"
        tf.debugging.assert_equal(parsed[name].row_lengths(), num_candidates, message)
    num_labels = parsed[CANDIDATE_LABEL].row_lengths()
    message = f"`{CANDIDATE_LABEL}` must have one value for each of `{signatures.CANDIDATE_ITEM_ID}`, or none"
    tf.debugging.assert_equal(tf.where(num_labels > 0, num_labels, num_candidates), num_candidates, message)

    row = tf.ragged.map_flat_values(item_rows, parsed[signatures.CANDIDATE_ITEM_ID]).to_tensor()  # [B, n]
    where = row > 0  # padding is 0, as an unknown item is
    stage = padded(parsed[CANDIDATE_STAGE], tf.shape(row)[1])  # in step with `row` even where the check above fails
    label = graded_labels(parsed[CANDIDATE_STAGE], parsed[CANDIDATE_RANK], parsed[CANDIDATE_LABEL])

    best = tf.argsort(tf.where(where, label, _LOWEST), direction="DESCENDING", stable=True)
    kept = tf.sort(best[:, : features.list_size])

    def keep(values: tf.Tensor) -> tf.Tensor:
        values = tf.gather(values, kept, batch_dims=1)
        values = tf.pad(values, [[0, 0], [0, features.list_size - tf.shape(values)[1]]])
        return tf.ensure_shape(values, [None, features.list_size])

    return {
        CANDIDATE_ITEM: keep(row),
        CANDIDATE_STAGE: keep(tf.cast(stage, tf.int32)),
        WHERE: keep(where),
        LABELS: keep(tf.where(where, label, 0.0)),
        GROUND_TRUTH: keep(where & (stage >= features.ground_truth_stage)),
    }


def _count_misses(
    parsed: dict[str, tf.RaggedTensor], item_rows: Callable[[tf.Tensor], tf.Tensor]
) -> dict[str, tf.Tensor]:
    """The fields of `CatalogueMisses`, int64 scalars."""
    counts = {}
    for kind, name in (("candidates", signatures.CANDIDATE_ITEM_ID), ("history_items", signatures.HISTORY_ITEM_ID)):
        row = item_rows(parsed[name].flat_values)
        counts[f"num_{kind}"] = tf.size(row, tf.int64)
        counts[f"num_unknown_{kind}"] = tf.math.count_nonzero(row == 0)
    return counts


def _concatenate(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
