"""Counters and histograms under TF Serving's names, and their Prometheus page."""

import bisect
import itertools
import threading
from collections.abc import Sequence

REQUEST_COUNT = "/tensorflow/serving/request_count"
REQUEST_LATENCY = "/tensorflow/serving/request_latency"
RUNTIME_LATENCY = "/tensorflow/serving/runtime_latency"
WARMUP_LATENCY = "/tensorflow/serving/model_warmup_latency"
LOAD_ATTEMPT_COUNT = "/tensorflow/cc/saved_model/load_attempt_count"
BATCH_QUEUING_LATENCY = "/tensorflow/serving/batching_session/queuing_latency"
BATCH_SIZE = "/tensorflow/serving/batching_session/processed_batch_size"
BATCH_PADDING = "/tensorflow/serving/batching_session/padding_size"

# Upper limits of the buckets: microseconds from 10 in steps of 1.8 (33 buckets), and counts in powers of two (15).
_LATENCY_LIMITS = tuple(10 * 1.8**power for power in range(32))
_COUNT_LIMITS = tuple(2.0**power for power in range(14))

_COUNTERS = {REQUEST_COUNT: ("model_name", "status"), LOAD_ATTEMPT_COUNT: ("model_path", "status")}
_HISTOGRAMS = {
    REQUEST_LATENCY: (("model_name", "API", "entrypoint"), _LATENCY_LIMITS),
    RUNTIME_LATENCY: (("model_name", "API", "runtime"), _LATENCY_LIMITS),
    WARMUP_LATENCY: (("model_path", "status"), _LATENCY_LIMITS),
    BATCH_QUEUING_LATENCY: ((), _LATENCY_LIMITS),
    BATCH_SIZE: ((), _COUNT_LIMITS),
    BATCH_PADDING: (("execution_batch_size",), _COUNT_LIMITS),
}


class Metrics:
    """The metrics of one server; any thread may write and read them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[tuple[str, ...], int]] = {name: {} for name in _COUNTERS}
        self._histograms: dict[str, dict[tuple[str, ...], _Histogram]] = {name: {} for name in _HISTOGRAMS}

    def count(self, name: str, *labels: str) -> None:
        """Adds one to a counter."""
        with self._lock:
            cells = self._counts[name]
            cells[labels] = cells.get(labels, 0) + 1

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Adds a value to a histogram."""
        with self._lock:
            cells = self._histograms[name]
            if labels not in cells:
                cells[labels] = _Histogram(_HISTOGRAMS[name][1])
            cells[labels].add(value)

    def page(self) -> str:
        """Returns all metrics in Prometheus' text format."""
        lines: list[str] = []
        with self._lock:
            for name in sorted([*_COUNTERS, *_HISTOGRAMS]):
                shown = name.replace("/", ":")
                if name in _COUNTERS:
                    lines.append(f"# TYPE {shown} counter")
                    for labels, number in self._counts[name].items():
                        lines.append(f"{shown}{{{_labels(_COUNTERS[name], labels)}}} {number}")
                else:
                    lines.append(f"# TYPE {shown} histogram")
                    for labels, histogram in self._histograms[name].items():
                        lines += histogram.lines(shown, _labels(_HISTOGRAMS[name][0], labels))
        return "\n".join(lines) + "\n"


class _Histogram:
    def __init__(self, limits: Sequence[float]):
        self._limits = limits
        self._counts = [0] * (len(limits) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect.bisect_right(self._limits, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> list[str]:
        cumulative = list(itertools.accumulate(self._counts))
        limits = [f"{limit:g}" for limit in self._limits] + ["+Inf"]
        prefix = f"{labels}," if labels else ""
        buckets = [
            f'{name}_bucket{{{prefix}le="{limit}"}} {number}' for limit, number in zip(limits, cumulative, strict=True)
        ]
        return [*buckets, f"{name}_sum{{{labels}}} {self._sum:.17g}", f"{name}_count{{{labels}}} {cumulative[-1]}"]


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    escaped = [value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for value in values]
    return ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True))
