"""The tables, verdicts and plot of `benchmarks.losses`."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import matplotlib
import tabulate
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.losses.cases import DENSE, MODES, OPERATOR_NAMES, STREAMED, STREAMED_OPERATORS, Case, Mode
from benchmarks.shared.measure import Measurement
from benchmarks.shared.verdict import Verdict
from trainer.evaluation.plot_style import GRID, style

Status = Literal["measured", "over_memory", "over_time", "failed"]

LONG_LIST_SIZE = 4096
_LEGEND = """\
A cell says: fastest call (median) in ms, growth of the peak memory in MiB. A call is one value with its gradient for
the whole batch, after compilation. Each case has a process of its own, on the CPU; what TensorFlow itself keeps to
compile a case, up to some tens of MiB, is part of its memory. An operator is measured inside LCRON's loss of one stage,
with a quarter of each list as ground truth. Cases that need more than {memory_limit_gib:g} GiB by estimate are not
tried; after {time_limit_s:g} s a case is stopped."""
_COLORS = dict(
    zip(
        OPERATOR_NAMES,
        ("#2563eb", "#d97706", "#15803d", "#65a30d", "#0891b2", "#7c3aed", "#db2777", "#be123c", "#475569", "#a16207",
         "#94a3b8"),
        strict=True,
    )
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a case.

    Args:
      case: what was to be measured.
      status: `"measured"`, or why there is no measurement.
      estimated_bytes: of memory, by formula.
      measurement: if there is one.
      detail: of a failure.
    """

    case: Case
    status: Status
    estimated_bytes: float
    measurement: Measurement | None = None
    detail: str = ""

    def __str__(self) -> str:
        if self.measurement is not None:
            m = self.measurement
            return f"{_ms(m.min_s)} ({_ms(m.median_s)}) ms, {_mib(m.peak_bytes)} MiB"
        if self.status == "over_memory":
            return f"not tried: needs about {self.estimated_bytes / 2**30:.1f} GiB"
        return {"over_time": "over the time limit", "failed": "failed"}[self.status]

    def figures(self) -> dict[str, object]:
        """Returns it as plain values."""
        measured = {} if self.measurement is None else dataclasses.asdict(self.measurement)
        return {
            **dataclasses.asdict(self.case),
            "status": self.status,
            "estimated_bytes": self.estimated_bytes,
            **measured,
            **({"detail": self.detail} if self.detail else {}),
        }


def verdicts(results: Iterable[Result]) -> list[Verdict]:
    """Returns what the losses and the streamed forms promise, with the measured ratios."""
    measured = {result.case: result.measurement for result in results if result.measurement is not None}
    losses = {case.name: m for case, m in measured.items() if case.part != "operator" and case.mode == "function"}
    step = next((m for case, m in measured.items() if case.part == "training_step"), None)
    share = {} if step is None or "lcron" not in losses else {"time": losses["lcron"].min_s / step.min_s}
    memory, time, at = {}, {}, f"at list size {LONG_LIST_SIZE}"
    for streamed, cost in measured.items():
        dense = measured.get(dataclasses.replace(streamed, name=streamed.name.replace(STREAMED, DENSE)))
        if streamed.list_size == LONG_LIST_SIZE and streamed.name.endswith(STREAMED) and dense is not None:
            name = f"{streamed.name.removesuffix(STREAMED)} {MODES[streamed.mode]}"
            time[name], memory[name] = _ratios(cost, dense)
    return [
        Verdict("LCRON's loss takes at most 25 % of a training step of the demo's model", 0.25, share),
        Verdict(f"{at} the streamed forms take at most 1/20 of the dense memory", 1 / 20, memory),
        Verdict(f"{at} the streamed forms are no slower than the dense ones", 1.0, time),
    ]


def page(results: Sequence[Result], provenance: Mapping[str, str], time_limit_s: float, memory_limit_gib: float) -> str:
    """Returns the results as a page in Markdown."""
    operators = [result for result in results if result.case.part == "operator"]
    losses = [result for result in results if result.case.part != "operator"]
    modes = [mode for mode in MODES if any(result.case.mode == mode for result in results)]
    parts = [
        "# What operators and losses cost",
        "Written by `benchmarks/losses/`; a run replaces it. What the operators are: [operators.md](operators.md).",
        "\n".join(f"- {name}: {value}" for name, value in provenance.items()),
        _LEGEND.format(memory_limit_gib=memory_limit_gib, time_limit_s=time_limit_s),
        "\n".join(f"- {verdict}." for verdict in verdicts(results)),
    ]
    if operators:
        parts += ["## Operators"]
        if any(result.measurement is not None for result in operators):
            parts += ["![time and memory by list size](operators_benchmark.svg)"]
        parts += [f"### {MODES[mode]}\n\n{_operator_table(operators, mode)}" for mode in modes]
        if crossover := _crossover_table(operators):
            parts += [
                "## Streamed beside dense",
                "Time and memory of the streamed form by those of the dense one.",
                crossover,
            ]
    if losses:
        shape = f"{losses[0].case.batch_size} lists of {losses[0].case.list_size}"
        parts += ["## Losses", f"Two stages, {shape}, each loss with its gradient.", _loss_table(losses, modes)]
    failures = [f"- {_title(result.case)}: {result.detail}" for result in results if result.status == "failed"]
    if failures:
        parts += ["## Failures", "\n".join(failures)]
    return "\n\n".join(parts) + "\n"


def plot(results: Iterable[Result], path: Path) -> None:
    """Draws time and memory per list against the list size, a line per operator and a row of panels per mode.

    Without a measured operator there is nothing to draw, and no file.
    """
    measured = [result for result in results if result.case.part == "operator" and result.measurement is not None]
    if not measured:
        return
    modes = [mode for mode in MODES if any(result.case.mode == mode for result in measured)]
    with matplotlib.rc_context(style("losses", 10)):
        figure = Figure(figsize=(10.8, 0.8 + 3.4 * len(modes)), layout="constrained")
        for row, mode in zip(figure.subplots(len(modes), 2, squeeze=False), modes, strict=True):
            for axes, quantity in zip(row, ("time", "memory"), strict=True):
                _draw(axes, [result for result in measured if result.case.mode == mode], quantity)
                axes.set_title(f"{quantity}, {MODES[mode]}", fontsize=10)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _draw(axes: Axes, results: Sequence[Result], quantity: str) -> None:
    for name in dict.fromkeys(result.case.name for result in results):
        points = []
        for result in results:
            if result.case.name == name and result.measurement is not None:
                cost = result.measurement.min_s * 1e3 if quantity == "time" else result.measurement.peak_bytes / 2**20
                points.append((result.case.list_size, max(cost, 1e-3) / result.case.batch_size))
        style = "--" if name.endswith(STREAMED) else "-"
        color = _COLORS[name.partition(",")[0]]
        axes.plot(*zip(*sorted(points), strict=True), style, marker="o", markersize=3, color=color, label=_words(name))
    sizes = sorted({result.case.list_size for result in results})
    axes.set(
        xscale="log", yscale="log", xlabel="list size", ylabel={"time": "ms", "memory": "MiB"}[quantity] + " per list"
    )
    axes.set_xticks(sizes, [str(size) if size != 50 else "" for size in sizes])  # 40 and 50 would overlap
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _ratios(cost: Measurement, other: Measurement) -> tuple[float, float]:
    """Returns the ratios of time and of memory; a small case may not have grown the memory at all."""
    return cost.min_s / other.min_s, cost.peak_bytes / max(other.peak_bytes, 1)


def _operator_table(results: Iterable[Result], mode: Mode) -> str:
    rows: dict[str, dict[str, str]] = {}
    for result in results:
        if result.case.mode == mode:
            shape = f"{result.case.batch_size} x {result.case.list_size}"
            rows.setdefault(_words(result.case.name), {})[shape] = str(result)
    return _table([{"operator": name, **cells} for name, cells in rows.items()])


def _loss_table(results: Iterable[Result], modes: Sequence[Mode]) -> str:
    rows: dict[str, dict[str, str]] = {}
    for result in results:
        rows.setdefault(result.case.name, dict.fromkeys((MODES[mode] for mode in modes), ""))
        rows[result.case.name][MODES[result.case.mode]] = str(result)
    return _table([{"loss": name, **cells} for name, cells in rows.items()])


def _crossover_table(results: Sequence[Result]) -> str:
    measured = {result.case: result.measurement for result in results if result.measurement is not None}
    rows = []
    for operator in STREAMED_OPERATORS:
        for mode in MODES:
            row = {"operator": f"{_words(operator)}, {MODES[mode]}"}
            for case, cost in measured.items():
                dense = measured.get(dataclasses.replace(case, name=operator + DENSE))
                if (case.name, case.mode) == (operator + STREAMED, mode) and dense is not None:
                    time, memory = _ratios(cost, dense)
                    row[f"{case.batch_size} x {case.list_size}"] = f"{time:.2f}, {memory:.2f}"
            if len(row) > 1:
                rows.append(row)
    return _table(rows) if rows else ""


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    return tabulate.tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def _title(case: Case) -> str:
    return f"{_words(case.name)}, {MODES[case.mode]}, {case.batch_size} x {case.list_size}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.0f}" if seconds >= 0.1 else f"{seconds * 1e3:.3g}"


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f}"
