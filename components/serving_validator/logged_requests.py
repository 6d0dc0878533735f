"""Logged requests, raw as a server receives them and transformed as the trainer reads them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from serving import signatures
from trainer.data.preprocessing import REQUEST_ID


@dataclasses.dataclass(frozen=True)
class LoggedRequest:
    """One request.

    Args:
      example: the serialised request example.
      candidate_ids: its logged candidates.
      excluded_ids: items that must not be recommended.
    """

    example: bytes
    candidate_ids: tuple[bytes, ...]
    excluded_ids: tuple[bytes, ...]


def read_logged_requests(
    raw_files: Sequence[str], transformed_files: Sequence[str], num_requests: int, transformed_path: Path
) -> list[LoggedRequest]:
    """Reads the first requests, and writes their transformed examples, in the same order, to a file of their own.

    Args:
      raw_files: gzipped TFRecord files of request examples.
      transformed_files: the same requests after Transform, in any order.
      num_requests: requests to read, fewer if there are no more.
      transformed_path: gzipped TFRecord file to write.

    Raises:
      ValueError: there is no request, or one is missing among the transformed.
    """
    raw = [example.numpy() for example in _records(raw_files).take(num_requests)]
    if not raw:
        raise ValueError(f"The requests must be at least one. Received: none in {list(raw_files)}")
    transformed = dict.fromkeys(_values(example, REQUEST_ID) for example in raw)
    for record in _records(transformed_files):
        request_id = _values(record.numpy(), REQUEST_ID)
        if request_id in transformed and transformed[request_id] is None:
            transformed[request_id] = record.numpy()
    with tf.io.TFRecordWriter(str(transformed_path), "GZIP") as writer:
        for example in raw:
            request_id = _values(example, REQUEST_ID)
            record = transformed[request_id]
            if record is None:
                shown = b" ".join(request_id).decode(errors="replace")
                raise ValueError(f"Request {shown} is missing among the transformed requests")
            writer.write(record)
    return [
        LoggedRequest(
            example=example,
            candidate_ids=_values(example, signatures.CANDIDATE_ITEM_ID),
            excluded_ids=_values(example, signatures.EXCLUDE_ITEM_ID),
        )
        for example in raw
    ]


def _records(files: Sequence[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(list(files), compression_type="GZIP")


def _values(example: bytes, name: str) -> tuple[bytes, ...]:
    return tuple(tf.train.Example.FromString(example).features.feature[name].bytes_list.value)
