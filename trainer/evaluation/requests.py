"""The test requests as plain arrays: what was asked, when, and what should have been delivered."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.evaluation.catalogue import Catalogue
from trainer.evaluation.examples import EXAMPLES, INT64, INT64_LIST, STRING, STRING_LIST, read_batches
from trainer.evaluation.pairs import Pairs

MISSING = "(missing)"
"""Value of a request feature that a request lacks."""


@dataclasses.dataclass(frozen=True)
class Requests:
    """Requests in file order.

    Args:
      files: TFRecord GZIP files that hold them.
      ground_truth_stage: `candidate_stage` from which on a candidate is ground truth.
      request_id: bytes `[R]`.
      request_time_ms: int64 `[R]`, Unix milliseconds.
      history_size: int64 `[R]`, events in the history.
      ground_truth: distinct items to deliver.
      excluded: items that must not be recommended.
      values: str `[R]` by request feature, `MISSING` where a request lacks it.
    """

    files: tuple[str, ...]
    ground_truth_stage: int
    request_id: np.ndarray
    request_time_ms: np.ndarray
    history_size: np.ndarray
    ground_truth: Pairs
    excluded: Pairs
    values: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.request_id)


def read_requests(
    files: Sequence[str],
    catalogue: Catalogue,
    *,
    ground_truth_stage: int,
    batch_size: int,
    max_requests: int | None = None,
    request_features: Sequence[str] = (),
) -> Requests:
    """Reads request examples.

    Args:
      files: TFRecord GZIP files of request examples.
      catalogue: gives items their rows.
      ground_truth_stage: `candidate_stage` from which on a candidate is ground truth.
      batch_size: requests per parsed batch.
      max_requests: read only so many.
      request_features: features to keep the values of.

    Returns:
      The requests.

    Raises:
      ValueError: if the files hold no request, a request is malformed or there is no ground truth at all.
    """
    features: dict[str, Any] = {
        "request_id": STRING,
        "request_time_ms": INT64,
        "history_item_id": STRING_LIST,
        "exclude_item_id": STRING_LIST,
        "candidate_item_id": STRING_LIST,
        "candidate_stage": INT64_LIST,
    }
    features |= {name: tf.io.RaggedFeature(dtype) for name, dtype in _dtypes(files, request_features).items()}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("id", "time", "history", *request_features)}
    pairs: dict[str, list[Pairs]] = {"ground_truth": [], "excluded": []}
    num_requests = 0
    for batch in read_batches(files, features, batch_size=batch_size, max_examples=max_requests):
        stage = aligned(batch, "candidate_stage")
        ground_truth = tf.ragged.boolean_mask(batch["candidate_item_id"], stage >= ground_truth_stage)
        for name, ids in (("ground_truth", ground_truth), ("excluded", batch["exclude_item_id"])):
            request = ids.value_rowids().numpy().astype(np.int64) + num_requests
            pairs[name].append(Pairs(request, catalogue.rows(ids.flat_values.numpy())))
        parts["id"].append(batch["request_id"].numpy())
        parts["time"].append(batch["request_time_ms"].numpy())
        parts["history"].append(batch["history_item_id"].row_lengths().numpy().astype(np.int64))
        for name in request_features:
            parts[name].append(_first_values(batch[name]))
        num_requests += len(parts["id"][-1])
    if not num_requests:
        raise ValueError(f"There must be at least one request. Received: files={list(files)}")

    columns = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    ground_truth, excluded = (
        Pairs(*(np.concatenate([getattr(part, side) for part in pairs[name]]) for side in ("request", "item")))
        for name in ("ground_truth", "excluded")
    )
    if not len(ground_truth):
        raise ValueError(
            f"None of the {num_requests} requests has ground truth. "
            f"Expected candidates with `candidate_stage` of at least {ground_truth_stage}"
        )
    return Requests(
        files=tuple(files),
        ground_truth_stage=ground_truth_stage,
        request_id=columns["id"],
        request_time_ms=columns["time"],
        history_size=columns["history"],
        ground_truth=ground_truth.distinct(catalogue.num_items),
        excluded=excluded.distinct(catalogue.num_items),
        values={name: columns[name] for name in request_features},
    )


def aligned(batch: Mapping[str, Any], name: str) -> tf.RaggedTensor:
    """Returns a feature with one value per candidate, ragged `[B, None]`.

    Raises:
      ValueError: if a request has another number of values than candidates, by its id.
    """
    values, candidates = batch[name], batch["candidate_item_id"]
    wrong = tf.where(values.row_lengths() != candidates.row_lengths())[:, 0].numpy()
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(
            f"`{name}` must hold one value per candidate. Received: {int(values.row_lengths()[row])} values for "
            f"{int(candidates.row_lengths()[row])} candidates in request {batch['request_id'][row].numpy().decode()!r}"
        )
    return values.with_row_splits_dtype(candidates.row_splits.dtype)


def _first_values(values: tf.RaggedTensor) -> np.ndarray:
    first = np.full(values.nrows(), MISSING, object)
    filled = np.flatnonzero(values.row_lengths().numpy() > 0)
    found = values.flat_values.numpy()[values.row_starts().numpy()[filled]]
    first[filled] = [value.decode() if isinstance(value, bytes) else str(value) for value in found.tolist()]
    return first


def _dtypes(files: Sequence[str], names: Sequence[str]) -> dict[str, tf.DType]:
    """Types of request features, from the first example that has them."""
    kinds = {"bytes_list": tf.string, "int64_list": tf.int64, "float_list": tf.float32}
    missing, dtypes = set(names), {}
    if missing:
        for batch in read_batches(files, {}, batch_size=64):
            for serialized in batch[EXAMPLES].numpy():
                present = tf.train.Example.FromString(serialized).features.feature
                for name in [name for name in missing if name in present and present[name].WhichOneof("kind")]:
                    dtypes[name] = kinds[present[name].WhichOneof("kind")]
                    missing.remove(name)
            if not missing:
                break
    if missing:
        raise ValueError(f"No request has the feature {sorted(missing)[0]!r} that slices are asked for")
    return dtypes
