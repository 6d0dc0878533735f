"""Calls joined into one run, and its outputs taken apart again."""

import concurrent.futures
import dataclasses
import time
from collections.abc import Mapping, Sequence

import numpy as np

from serving.server.batching.parameters import BatchingOptions
from serving.server.calls.signature import Runner
from serving.server.errors import failed_precondition, invalid_argument
from serving.server.metrics import BATCH_PADDING, BATCH_QUEUING_LATENCY, BATCH_SIZE, Metrics

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Task:
    """A call, or a part of one, that waits for its batch.

    Args:
      inputs: with one number of rows.
      size: that number.
      outputs: what the caller waits for.
      enqueued_at_s: on the monotonic clock.
    """

    inputs: Arrays
    size: int
    outputs: concurrent.futures.Future[dict[str, np.ndarray]] = dataclasses.field(
        default_factory=concurrent.futures.Future
    )
    enqueued_at_s: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def row_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of a row of every input."""
        return {name: array.shape[1:] for name, array in self.inputs.items()}


def batch_size(inputs: Arrays) -> int:
    """Returns the number of rows of a call.

    Raises:
      ServingError: INVALID_ARGUMENT if it has none or more than one such number.
    """
    sizes = set()
    for array in inputs.values():
        if not array.ndim:
            raise invalid_argument("Batching Run() input tensors must have at least one dimension")
        sizes.add(len(array))
    if not sizes:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    if len(sizes) > 1:
        raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def run_batch(tasks: Sequence[Task], run: Runner, options: BatchingOptions, metrics: Metrics) -> None:
    """Runs tasks together and gives every one its rows of the outputs, or the error."""
    now_s = time.monotonic()
    for task in tasks:
        metrics.observe(BATCH_QUEUING_LATENCY, (now_s - task.enqueued_at_s) * 1e6)
    try:
        size = sum(task.size for task in tasks)
        padded_size = next((allowed for allowed in options.allowed_batch_sizes if allowed >= size), size)
        metrics.observe(BATCH_SIZE, padded_size)
        metrics.observe(BATCH_PADDING, padded_size - size, str(padded_size))
        outputs = run(_merge(tasks, padded_size - size))
        _check_outputs(outputs, padded_size)
    except Exception as error:
        for task in tasks:
            task.outputs.set_exception(error)
        return
    start = 0
    for task in tasks:
        rows = slice(start, start + task.size)
        task.outputs.set_result({name: array[rows] for name, array in outputs.items()})
        start += task.size


def _merge(tasks: Sequence[Task], num_padding_rows: int) -> dict[str, np.ndarray]:
    merged = {}
    for name in tasks[0].inputs:
        parts = [task.inputs[name] for task in tasks]
        if len({part.shape[1:] for part in parts}) > 1:
            parts = _pad(parts)
        if num_padding_rows:
            # The first row of the last task is a row that the model takes.
            parts.append(np.repeat(parts[-1][:1], num_padding_rows, axis=0))
        merged[name] = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return merged


def _pad(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    if len({part.ndim for part in parts}) > 1:
        raise invalid_argument("Tensors of unequal rank cannot be padded to one shape.")
    shape = np.max([part.shape[1:] for part in parts], axis=0)
    padded = []
    for part in parts:
        if not part.size:
            raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
        whole = np.full((len(part), *shape), part.flat[0], part.dtype)
        whole[tuple(slice(size) for size in part.shape)] = part
        padded.append(whole)
    return padded


def _check_outputs(outputs: Arrays, size: int) -> None:
    for array in outputs.values():
        if not array.ndim:
            raise failed_precondition("Batched output tensor has 0 dimensions")
        if len(array) != size:
            raise failed_precondition(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the "
                "input tensors"
            )
