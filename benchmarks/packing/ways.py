"""The ways from transformed examples to batches that `benchmarks.packing` measures."""

import dataclasses
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.train.world import FEATURES, World
from trainer.data.batches import RequestBatches
from trainer.data.input import Requests, read_requests
from trainer.data.packed.packed_requests import packed_requests


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of the data.

    Args:
      num_requests: of the split.
      num_items: of the catalogue.
      num_files: that the split lies in.
      batch_size: requests of a batch.
    """

    num_requests: int
    num_items: int
    num_files: int
    batch_size: int

    @property
    def world(self) -> World:
        """What the requests are drawn from."""
        return World(num_items=self.num_items, num_requests=self.num_requests, batch_size=self.batch_size)

    @property
    def item_ids(self) -> list[bytes]:
        """Of the catalogue; the item of row 1 is the first."""
        return [b"%d" % item for item in range(1, self.num_items + 1)]


@dataclasses.dataclass(frozen=True)
class Figures:
    """What a way costs.

    Args:
      seconds: that it took.
      peak_mib: growth of the process's peak memory, pages of mapped files included.
    """

    seconds: float
    peak_mib: float


Way = Callable[[Sizes, Sequence[str], Path], Callable[[], object]]
"""Prepares and returns what is measured."""


def write_examples(sizes: Sizes, folder: Path) -> list[Path]:
    """Writes transformed examples as Transform would leave them, gzipped TFRecords."""
    requests = sizes.world.requests(sizes.num_requests)
    parts = np.array_split(np.arange(sizes.num_requests), sizes.num_files)
    paths = [folder / f"requests-{number:05d}-of-{sizes.num_files:05d}.gz" for number in range(sizes.num_files)]
    for path, part in zip(paths, parts, strict=True):
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for row in part:
                writer.write(_example({name: values[row] for name, values in requests.items()}))
    return paths


def measure(way: Way, sizes: Sizes, files: Sequence[Path], packed_dir: Path) -> Figures:
    """Measures a way in a process of its own."""
    context = multiprocessing.get_context("forkserver")  # which imports TensorFlow once, and does nothing with it
    context.set_forkserver_preload([__name__])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, way, sizes, [str(path) for path in files], packed_dir))
    process.start()
    sender.close()
    figures = receiver.recv()
    process.join()
    return figures


def _measure(sender: Connection, way: Way, sizes: Sizes, files: Sequence[str], packed_dir: Path) -> None:
    run = way(sizes, files, packed_dir)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start_s = time.monotonic()
    run()
    seconds = time.monotonic() - start_s
    sender.send(Figures(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 2**10))


def _parse(sizes: Sizes, files: Sequence[str], packed_dir: Path) -> Callable[[], Requests]:
    features, item_ids = sizes.world.request_features, sizes.item_ids
    return lambda: read_requests(files, FEATURES, features, item_ids)[0]


def _pack(sizes: Sizes, files: Sequence[str], packed_dir: Path) -> Callable[[], Requests]:
    layout = (files, FEATURES, sizes.world.request_features, sizes.item_ids)
    return lambda: packed_requests(str(packed_dir), "requests", *layout, report=lambda line: None)[0]


def _parsed_epoch(sizes: Sizes, files: Sequence[str], packed_dir: Path) -> Callable[[], object]:
    requests = _parse(sizes, files, packed_dir)()
    return lambda: _run_through(RequestBatches(requests, sizes.batch_size, shuffle_seed=1))


def _packed_epoch(sizes: Sizes, files: Sequence[str], packed_dir: Path) -> Callable[[], object]:
    requests = _pack(sizes, files, packed_dir)()
    return lambda: _run_through(RequestBatches(requests, sizes.batch_size, shuffle_seed=1))


def _cold_epoch(sizes: Sizes, files: Sequence[str], packed_dir: Path) -> Callable[[], object]:
    run = _packed_epoch(sizes, files, packed_dir)
    for path in packed_dir.glob("*/*.bin"):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return run


def _run_through(batches: RequestBatches) -> None:
    for batch in batches.epoch():
        assert batch


WAYS: dict[str, Way] = {
    "parse into memory": _parse,
    "first start: parse and pack": _pack,
    "later start: find and check": _pack,
    "epoch from memory": _parsed_epoch,
    "epoch from the packed file": _packed_epoch,
    "epoch from the packed file, cold": _cold_epoch,
}


def _example(request: dict[str, np.ndarray]) -> bytes:
    def item_ids(rows: np.ndarray) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"%d" % row for row in rows]))

    def integers(values: np.ndarray) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=np.atleast_1d(values)))

    size = int(request["history_where"].sum())
    rank = np.where(request["ground_truth"], np.arange(1, len(request["candidate_item"]) + 1), 0)
    features = {name: integers(value) for name, value in request.items() if np.ndim(value) == 0}
    features |= {f.example_name: integers(request[f.example_name][:size]) for f in FEATURES.history}
    features |= {
        "request_day": integers(np.full(1, 19_000)),
        "history_item_id": item_ids(request["history_item"][:size]),
        "candidate_item_id": item_ids(request["candidate_item"]),
        "candidate_stage": integers(request["candidate_stage"]),
        "candidate_rank": integers(rank),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
