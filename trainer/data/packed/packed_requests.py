"""Requests that are parsed once, by the first run that needs them."""

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import inspect
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from trainer.config.json_text import to_json
from trainer.data import catalogue_misses, input, labels, request_batch
from trainer.data.catalogue_misses import CatalogueMisses
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.data.fingerprint import Fingerprint, files_hash
from trainer.data.input import Requests, parse_requests
from trainer.data.packed import record_file
from trainer.data.packed.packing_progress import PackingProgress
from trainer.data.packed.record_file import DamagedRecordsError, read_records, write_records

CODE = (catalogue_misses, input, labels, record_file, request_batch)
"""The modules that decide what is packed; other code leaves packed requests valid."""


class PackedRequestsError(RuntimeError):
    """Packed requests cannot be written or read."""


def packed_requests(
    base: str,
    name: str,
    files: Sequence[str],
    features: FeatureSpec,
    request_features: Sequence[EncodedFeature],
    item_ids: Sequence[bytes],
    *,
    report: Callable[[str], None],
) -> tuple[Requests, CatalogueMisses]:
    """Maps the requests of a split into memory; they are parsed and packed to disk if no run before has done it.

    They are packed anew when the content of the files, the lists, the encoded request features, the ids of the
    catalogue or the code change, and when they are damaged. Others that were left alone for two weeks are removed. Of
    several processes that need the same requests one packs them, and the others wait for it.

    Args:
      base: local folder of packed requests of all kinds, which each have a folder of their own in it.
      name: what they are, such as `"training requests"`.
      files: gzipped TFRecord files of transformed request examples.
      features: the declared features and list sizes.
      request_features: the encoded request features.
      item_ids: ids of the catalogue; item i has row i + 1.
      report: gets lines about progress.

    Returns:
      What `read_requests` returns; the arrays are read-only and on disk, so they take no more memory than there is.

    Raises:
      ValueError: there is no request.
      tf.errors.InvalidArgumentError: lists of a request that belong together differ in length.
      PackedRequestsError: the disk is full, or the folder cannot be written to.
    """
    fingerprint = Fingerprint(
        {
            "files": files_hash(files),
            "features": to_json(_deciding(features)),
            "request features": ", ".join(feature.name for feature in request_features),
            "items": hashlib.sha256(b"\n".join(item_ids)).hexdigest(),
            "code": _code_hash(),
            "tensorflow": tf.__version__,
        }
    )
    try:
        folder = fingerprint.folder(Path(base))
        with _locked(folder, name, report):
            if found := _read(folder, name, report):
                return found
            batches = parse_requests(files, features, request_features, item_ids)
            return write_records(folder, PackingProgress(report, name, files).watch(batches))
    except OSError as error:
        advice = "Free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Mend that"
        raise PackedRequestsError(
            f"The {name} cannot be packed in {base}: {error.strerror}. {advice}, or name another folder, and run again"
        ) from error


def _read(folder: Path, name: str, report: Callable[[str], None]) -> tuple[Requests, CatalogueMisses] | None:
    start_s = time.monotonic()
    try:
        found = read_records(folder)
    except DamagedRecordsError as error:
        report(f"warning: packs damaged {name} anew: {error}")
        return None
    if found:
        num_requests = len(next(iter(found[0].values())))
        report(f"found {num_requests:,} {name} packed in {folder}, checked in {time.monotonic() - start_s:.1f} s")
    return found


@contextlib.contextmanager
def _locked(folder: Path, name: str, report: Callable[[str], None]) -> Iterator[None]:
    """Keeps other processes out of a folder; the system takes the lock back from a process that dies."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waits for another process that packs the {name}")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _deciding(features: FeatureSpec) -> FeatureSpec:
    """The features without what is seen in the files' content or has no influence on the arrays."""
    history = tuple(dataclasses.replace(feature, embedding_dim=1) for feature in features.history)
    return dataclasses.replace(features, request=(), item=(), history=history, time_zone="UTC")


def _code_hash() -> str:
    digest = hashlib.sha256()
    for module in CODE:
        digest.update(inspect.getsource(module).encode())
    return digest.hexdigest()
