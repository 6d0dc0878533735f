"""The figures and the table of `benchmarks.swaps`."""

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import tabulate

from benchmarks.shared.client_processes import Answer
from benchmarks.shared.verdict import Verdict
from benchmarks.swaps.drill import Course, Window
from benchmarks.swaps.known_answers import Judged

MAX_SLOWER = 3.0
_MAX_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Part:
    """What clients saw of the windows of one kind.

    Args:
      kind: of the windows.
      num_windows: of it.
      num_requests: in them.
      seconds: median length of a window.
      p50_ms: median time of a request.
      p99_ms: 99th percentile of it, over all windows.
      worst_p99_ms: 99th percentile in the window where it is highest.
      max_ms: the longest request.
    """

    kind: str
    num_windows: int
    num_requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    worst_p99_ms: float
    max_ms: float


@dataclasses.dataclass(frozen=True)
class Summary:
    """What came of the drill.

    Args:
      num_requests: that clients asked.
      failures: what came instead of an answer, by how often; no server but while it was killed among it.
      num_mixed: answers that are not what the release that they name answers.
      num_damaged: answers that name the damaged release.
      damaged_was_loaded: whether a model ever had it.
      num_releases: that answered.
      num_pushed: good releases that there were.
      recovery_s: from the death of the server to the first answer to a request asked after it.
      resident_mib: memory of the server at the end of each window, with its kind.
      parts: by kind of window.
    """

    num_requests: int
    failures: dict[str, int]
    num_mixed: int
    num_damaged: int
    damaged_was_loaded: bool
    num_releases: int
    num_pushed: int
    recovery_s: float
    resident_mib: list[tuple[str, float]]
    parts: list[Part]

    @property
    def is_correct(self) -> bool:
        """Whether every request was answered by one good release, and every one of them answered."""
        return not (self.failures or self.num_mixed or self.num_damaged or self.damaged_was_loaded) and (
            self.num_releases == self.num_pushed
        )

    @property
    def verdict(self) -> Verdict:
        """Whether swaps slow requests down too much."""
        parts = {part.kind: part for part in self.parts}
        ratios = {}
        if "swap" in parts and "quiet" in parts:
            ratios = {"all swaps": parts["swap"].p99_ms / parts["quiet"].p99_ms}
        claim = f"the 99th percentile during swaps is at most {MAX_SLOWER:g} times the quiet one"
        return Verdict(claim, MAX_SLOWER, ratios)


def summary(course: Course) -> Summary:
    """Returns what came of a drill."""
    judged = [answer.value for answer in course.answers if not answer.failed]
    return Summary(
        num_requests=len(course.answers),
        failures=dict(_failures(course)),
        num_mixed=sum(_is_mixed(answer, course.contents) for answer in judged),
        num_damaged=sum(answer.release == course.damaged for answer in judged),
        damaged_was_loaded=course.damaged_was_loaded,
        num_releases=len({answer.release for answer in judged}),
        num_pushed=len(course.contents),
        recovery_s=_recovery_s(course),
        resident_mib=[(window.kind, window.resident_mib) for window in course.windows],
        parts=[_part(course, kind) for kind in dict.fromkeys(window.kind for window in course.windows)],
    )


def text(result: Summary, provenance: Mapping[str, str]) -> str:
    """Returns the figures as tables in Markdown."""
    columns = ["", "windows", "requests", "seconds", "p50 ms", "p99 ms", "worst window's p99", "longest ms"]
    rows = [
        (
            part.kind,
            part.num_windows,
            f"{part.num_requests:,}",
            f"{part.seconds:.1f}",
            *(f"{value:,.0f}" for value in (part.p50_ms, part.p99_ms, part.worst_p99_ms, part.max_ms)),
        )
        for part in result.parts
    ]
    memory = [mib for _, mib in result.resident_mib]
    loaded = "loaded" if result.damaged_was_loaded else "never loaded"
    lines = [
        f"{result.num_requests:,} requests, {sum(result.failures.values())} failed, {result.num_mixed} mixed",
        *(f"failed: {number} x {what}" for what, number in list(result.failures.items())[:_MAX_SHOWN]),
        f"{result.num_releases} of {result.num_pushed} good releases answered",
        f"the damaged release: {loaded}, {result.num_damaged} answers",
        f"killed: {result.recovery_s:.1f} s to the next answer",
        f"memory of the server, MiB: {memory[0]:,.0f} before, {memory[-1]:,.0f} at the end, {max(memory):,.0f} at most",
        str(result.verdict),
    ]
    return "\n\n".join(
        [
            "\n".join(f"- {name}: {value}" for name, value in provenance.items()),
            tabulate.tabulate(rows, columns, tablefmt="github", disable_numparse=True),
            "\n".join(f"- {line}." for line in lines),
        ]
    )


def _failures(course: Course) -> Counter[str]:
    failures = Counter(answer.value for answer in course.answers if answer.failed)
    kills = [window for window in course.windows if window.kind == "kill"]
    refused = [answer for answer in course.answers if not answer.failed and answer.value.was_refused]
    failures.update(
        "no server answered, though none was killed"
        for answer in refused
        if not any(_is_under_way(answer, kill) for kill in kills)
    )
    return failures


def _is_mixed(answer: Judged, contents: Mapping[int, int]) -> bool:
    return answer.content is None or contents.get(answer.release) != answer.content


def _recovery_s(course: Course) -> float:
    (kill,) = (window for window in course.windows if window.kind == "kill")
    ends_s = (a.end_s for a in course.answers if not a.failed and a.start_s > kill.start_s)
    return min(ends_s, default=math.inf) - kill.start_s


def _part(course: Course, kind: str) -> Part:
    windows = [window for window in course.windows if window.kind == kind]
    by_window = [ms for window in windows if len(ms := _latencies_ms(course.answers, window))]
    together = np.concatenate(by_window) if by_window else np.array([np.nan])
    p50_ms, p99_ms, max_ms = np.percentile(together, [50, 99, 100]).tolist()
    return Part(
        kind=kind,
        num_windows=len(windows),
        num_requests=sum(map(len, by_window)),
        seconds=float(np.median([window.end_s - window.start_s for window in windows])),
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        worst_p99_ms=max((float(np.percentile(ms, 99)) for ms in by_window), default=float("nan")),
        max_ms=max_ms,
    )


def _latencies_ms(answers: Sequence[Answer], window: Window) -> np.ndarray:
    """Returns how long the requests took that were under way in a window; in a quiet one, only those wholly inside."""
    if window.kind == "quiet":
        chosen = [a for a in answers if window.start_s <= a.start_s and a.end_s <= window.end_s]
    else:
        chosen = [answer for answer in answers if _is_under_way(answer, window)]
    return 1e3 * np.array([answer.latency_s for answer in chosen if not answer.failed])


def _is_under_way(answer: Answer, window: Window) -> bool:
    return answer.start_s <= window.end_s and window.start_s <= answer.end_s
