"""Transformed examples as the arrays and batches that the model trains on."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from serving import signatures
from trainer.catalogue_misses import CatalogueMisses
from trainer.features import EncodedFeature, FeatureSpec
from trainer.graded_labels import graded_labels
from trainer.item_table import ItemTable
from trainer.preprocessing import CANDIDATE_LABEL, CANDIDATE_RANK
from trainer.request_batch import (
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
"""A whole split in memory: the training batch of every request, `[num_requests, ...]` by key."""

_PARSE_BATCH_SIZE = 1024
_LOWEST = tf.float32.min


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
    columns = _read(files, lambda examples: tf.io.parse_example(examples, spec))
    if not columns:
        raise ValueError(f"The catalogue must hold at least one item. Received: none in {list(files)}")
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


def read_requests(
    files: Sequence[str],
    features: FeatureSpec,
    request_features: Sequence[EncodedFeature],
    item_ids: Sequence[bytes],
) -> tuple[Requests, CatalogueMisses]:
    """Parses transformed requests, once, into memory.

    Lists longer than `FeatureSpec` allows are cut: a history to its latest events, candidates to the best by
    label in the order of the log.

    Args:
      files: gzipped TFRecord files of transformed request examples.
      features: the declared features and list sizes.
      request_features: the encoded request features.
      item_ids: ids of the catalogue; item i has row i + 1.

    Returns:
      The arrays of the training batch (`docs/architecture.md`, "Training batch") and the days of the requests, in the
      order of the files, and how many of the logged items the catalogue lacks.

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

    def parse(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, spec)
        batch = {name: tf.cast(parsed[name], tf.int32) for name in scalars}
        batch |= history_batch(parsed, features, table.lookup)
        return batch | _candidate_batch(parsed, features, table.lookup) | _count_misses(parsed, table.lookup)

    requests = _read(files, parse)
    if not requests:
        raise ValueError(f"The requests must be at least one. Received: none in {list(files)}")
    counts = {field.name: int(requests.pop(field.name).sum()) for field in dataclasses.fields(CatalogueMisses)}
    return requests, CatalogueMisses(**counts)


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
    """The fields of `CatalogueMisses`, int64 `[B]` each."""
    counts = {}
    for kind, name in (("candidates", signatures.CANDIDATE_ITEM_ID), ("history_items", signatures.HISTORY_ITEM_ID)):
        row = tf.ragged.map_flat_values(item_rows, parsed[name])
        counts[f"num_{kind}"] = row.row_lengths()
        counts[f"num_unknown_{kind}"] = tf.reduce_sum(tf.cast(row == 0, tf.int64), axis=1)
    return counts


def _read(files: Sequence[str], parse: Callable[[tf.Tensor], dict[str, tf.Tensor]]) -> dict[str, np.ndarray]:
    examples = tf.data.TFRecordDataset(list(files), compression_type="GZIP", num_parallel_reads=None)
    parts = list(examples.batch(_PARSE_BATCH_SIZE).map(parse, tf.data.AUTOTUNE, deterministic=True).as_numpy_iterator())
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
