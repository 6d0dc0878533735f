"""Trains a world and measures it."""

import dataclasses
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import tensorflow as tf

from benchmarks.train.parts import seconds_by_part
from benchmarks.train.world import World
from trainer.data.batches import RequestBatches
from trainer.data.catalogue_misses import CatalogueMisses
from trainer.data.input import ParsedBatch, Requests
from trainer.data.packed.record_file import write_records
from trainer.training.best_epoch import BestEpoch
from trainer.training.fit import fit
from trainer.training.progress import Progress
from trainer.training.replicas.steps import Steps

Device = Literal["cpu", "gpu"]


@dataclasses.dataclass(frozen=True)
class Figures:
    """What came of a training.

    Args:
      lists_per_s: of the fastest epoch but the first, which compiles too; other processes only make an epoch slower.
      lists_per_s_by_epoch: of each.
      step_s: seconds of a step of that epoch.
      processor_s_per_step: seconds of a step, summed over the cores.
      waiting_share: of the epoch's time, for which steps waited for their batches.
      peak_mib: most memory held, in MiB.
      peak_mib_before_training: the same when model and data were there.
      loss: mean over the last epoch.
      gpu_peak_mib: most memory held on the GPU, if there is one.
      parts_s: seconds of the parts of a step, if asked for.
    """

    lists_per_s: float
    lists_per_s_by_epoch: list[float]
    step_s: float
    processor_s_per_step: float
    waiting_share: float
    peak_mib: float
    peak_mib_before_training: float
    loss: float
    gpu_peak_mib: float | None
    parts_s: dict[str, float]


class DeviceError(RuntimeError):
    """The machine has no such device."""


class EpochTimes(tf.keras.callbacks.Callback):
    """Seconds of each epoch, from its begin to the end of its last step.

    Args:
      num_steps: of an epoch.
    """

    def __init__(self, num_steps: int) -> None:
        super().__init__()
        self._num_steps = num_steps
        self.seconds: list[float] = []
        self.processor_seconds: list[float] = []  # summed over the cores

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._start_s, self._processor_start_s = time.monotonic(), time.process_time()

    def on_train_batch_end(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        if batch + 1 == self._num_steps:
            float(logs["total_loss"])  # waits for a GPU
            self.seconds.append(time.monotonic() - self._start_s)
            self.processor_seconds.append(time.process_time() - self._processor_start_s)


def run(world: World, device: Device, profile: bool, report: Callable[[str], None]) -> Figures:
    """Trains and returns the figures.

    Args:
      world: what to train on.
      device: where; a GPU has to be visible.
      profile: whether to time the parts of a step too.
      report: gets lines about progress.

    Raises:
      DeviceError: there is no GPU.
    """
    if device == "gpu" and not tf.config.list_physical_devices("GPU"):
        raise DeviceError("TensorFlow sees no GPU")
    tf.keras.utils.set_random_seed(world.seed)
    with tempfile.TemporaryDirectory() as folder:  # what is mapped stays when its name is gone
        batches = RequestBatches(_packed(world, folder), world.batch_size, shuffle_seed=world.seed)
    evaluation = RequestBatches(world.requests(world.batch_size), world.batch_size)
    model = world.model()
    before_mib = _peak_mib()
    times = EpochTimes(batches.num_steps)
    callbacks = [times, Progress(report, world.num_requests, world.config)]
    steps = Steps(model, batches.element_spec)
    best = BestEpoch("val_end_to_end_recall")
    state = fit(model, batches, evaluation, best=best, callbacks=callbacks, steps=steps)

    fastest = min(range(1, world.epochs), key=lambda epoch: times.seconds[epoch])
    seconds = times.seconds[fastest]
    peak_mib = _peak_mib()
    gpu_peak_mib = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20 if device == "gpu" else None
    return Figures(
        lists_per_s=world.num_requests / seconds,
        lists_per_s_by_epoch=[world.num_requests / each for each in times.seconds],
        step_s=seconds / batches.num_steps,
        processor_s_per_step=times.processor_seconds[fastest] / batches.num_steps,
        waiting_share=state.epochs[fastest].waiting_s / seconds,
        peak_mib=peak_mib,
        peak_mib_before_training=before_mib,
        loss=state.epochs[-1].train["total_loss"],
        gpu_peak_mib=gpu_peak_mib,
        parts_s=seconds_by_part(model, steps, next(iter(batches.epoch())), report) if profile else {},
    )


def _packed(world: World, folder: str) -> Requests:
    """The requests as training maps them from disk."""
    no_misses = CatalogueMisses(0, 0, 0, 0)
    requests, _ = write_records(Path(folder), [ParsedBatch(world.requests(world.num_requests), no_misses, 0)])
    return requests


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
