"""What a loaded release does without a server: the signatures called in this process."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.serving.world import Inputs

BATCH_SIZES = (8, 32)
Function = Callable[..., Mapping[str, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Floor:
    """One caller after another answer.

    Args:
      p50_ms: median time of a call for one request.
      p99_ms: 99th percentile of it.
      requests_per_s: by the rows of a batch; 1 stands for calls for one request.
    """

    p50_ms: float
    p99_ms: float
    requests_per_s: dict[int, float]

    @property
    def best_per_s(self) -> float:
        """The most requests per second that any size of batch gave."""
        return max(self.requests_per_s.values())


def load(models: Mapping[str, Path]) -> dict[tuple[str, str], Function]:
    """Returns the signatures of a release's SavedModels by model and name."""
    return {
        (model, name): function
        for model, path in models.items()
        for name, function in tf.saved_model.load(str(path)).signatures.items()
    }


def measure(hops: Sequence[Inputs], functions: Mapping[tuple[str, str], Function], seconds: float) -> Floor:
    """Measures calls for one request, and for batches of `BATCH_SIZES`.

    Args:
      hops: signatures that answer a request, one after the other.
      functions: of `load`.
      seconds: for each size of batch.
    """
    times_s = {size: _times_s(hops, functions, size, seconds) for size in (1, *BATCH_SIZES)}
    p50_s, p99_s = np.percentile(times_s[1], [50, 99])
    return Floor(
        p50_ms=1e3 * float(p50_s),
        p99_ms=1e3 * float(p99_s),
        requests_per_s={size: size * len(each) / sum(each) for size, each in times_s.items()},
    )


def _times_s(
    hops: Sequence[Inputs], functions: Mapping[tuple[str, str], Function], size: int, seconds: float
) -> list[float]:
    num_batches = max(len(hops[0].rows) // size, 1)
    batches = [
        [
            (
                functions[hop.model, hop.signature],
                {name: tf.convert_to_tensor(values) for name, values in hop.batch(size, number * size).items()},
            )
            for hop in hops
        ]
        for number in range(num_batches)
    ]
    _answer(batches[0])  # the first call prepares the graph
    times_s: list[float] = []
    while not times_s or sum(times_s) < seconds:
        start_s = time.perf_counter()
        _answer(batches[len(times_s) % num_batches])
        times_s.append(time.perf_counter() - start_s)
    return times_s


def _answer(batch: Sequence[tuple[Function, Mapping[str, tf.Tensor]]]) -> None:
    for function, inputs in batch:
        for tensor in function(**inputs).values():
            tensor.numpy()
