"""The tables, verdicts and picture of `benchmarks.serving`."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import tabulate
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.serving.run import ONE_CALL, RANKING, RETRIEVAL, TWO_HOPS, Results
from benchmarks.shared.verdict import Verdict
from trainer.evaluation.plot_style import GRID, style

MANY_CLIENTS = 32
_COLORS = {RETRIEVAL: "#2563eb", RANKING: "#d97706", ONE_CALL: "#15803d", TWO_HOPS: "#7c3aed"}


def verdicts(results: Results) -> list[Verdict]:
    """Returns what a server should keep of the speed of the models, with the measured ratios."""
    p50, p99, throughput = {}, {}, {}
    for cell in results.cells:
        floor = results.floors[cell.call]
        if cell.num_clients == 1:
            p50[cell.call], p99[cell.call] = cell.p50_ms / floor.p50_ms, cell.p99_ms / floor.p99_ms
        elif cell.num_clients == MANY_CLIENTS:
            throughput[cell.call] = floor.best_per_s / cell.requests_per_s
    at = f"at {results.num_items:,} items"
    return [
        Verdict(f"{at} the median of one client is at most 1.3 times that in process", 1.3, p50),
        Verdict(f"{at} the 99th percentile of one client is at most twice that in process", 2.0, p99),
        Verdict(
            f"{at} the best batches in process answer at most 1.25 times what {MANY_CLIENTS} clients get",
            1.25,
            throughput,
        ),
    ]


def tables(measured: Sequence[Results], provenance: Mapping[str, str]) -> str:
    """Returns the results as tables in Markdown."""
    parts = ["\n".join(f"- {name}: {value}" for name, value in provenance.items())]
    for results in measured:
        parts += [f"{results.num_items:,} items", _table(results)]
    parts.append("\n".join(f"- {verdict}." for results in measured for verdict in verdicts(results)))
    return "\n\n".join(parts)


def figures(measured: Sequence[Results]) -> dict[str, object]:
    """Returns the results as plain values."""
    return {
        "verdicts": [verdict.figures() for results in measured for verdict in verdicts(results)],
        "catalogues": [dataclasses.asdict(results) for results in measured],
    }


def plot(measured: Sequence[Results], path: Path) -> None:
    """Draws time and throughput against the number of clients, a row of panels per catalogue."""
    with matplotlib.rc_context(style("serving", 9)):
        figure = Figure(figsize=(9.6, 0.5 + 3.1 * len(measured)), layout="constrained")
        for (left, right), results in zip(figure.subplots(len(measured), 2, squeeze=False), measured, strict=True):
            for call, color in _COLORS.items():
                _draw(left, right, results, call, color)
            left.set(ylabel="ms", title=f"{results.num_items:,} items: median (line), 99 % (dotted)")
            right.set(ylabel="requests/s", title=f"{results.num_items:,} items: requests per second")
            for axes in (left, right):
                _finish(axes, sorted({cell.num_clients for cell in results.cells}))
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(_COLORS), frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _draw(left: Axes, right: Axes, results: Results, call: str, color: str) -> None:
    cells = sorted((cell for cell in results.cells if cell.call == call), key=lambda cell: cell.num_clients)
    floor = results.floors[call]
    x = [cell.num_clients for cell in cells]
    left.plot(x, [cell.p50_ms for cell in cells], "-o", markersize=3, color=color, label=call)
    left.plot(x, [cell.p99_ms for cell in cells], ":", color=color)
    left.plot([x[0]], [floor.p50_ms], "_", markersize=12, color=color)
    right.plot(x, [cell.requests_per_s for cell in cells], "-o", markersize=3, color=color)
    right.axhline(floor.best_per_s, color=color, linewidth=0.8, linestyle=(0, (1, 3)))


def _finish(axes: Axes, num_clients: Sequence[int]) -> None:
    axes.set(xscale="log", yscale="log", xlabel="clients")
    axes.set_xticks(num_clients, [str(number) for number in num_clients])
    axes.set_xticks([], minor=True)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _table(results: Results) -> str:
    rows = []
    for call, floor in results.floors.items():
        in_batches = ", ".join(f"{each:,.0f} by {size}" for size, each in floor.requests_per_s.items() if size > 1)
        alone = f"{floor.requests_per_s[1]:,.0f}; {in_batches}"
        rows.append((call, "in process", _ms(floor.p50_ms), _ms(floor.p99_ms), alone, "", "", ""))
        for cell in (cell for cell in results.cells if cell.call == call):
            rows.append(
                (
                    call,
                    f"{cell.num_clients}{', batching' if cell.batching else ''}",
                    _ms(cell.p50_ms),
                    _ms(cell.p99_ms),
                    f"{cell.requests_per_s:,.0f}",
                    f"{cell.server_cores:.2f}",
                    f"{cell.client_cores:.2f}",
                    str(cell.num_failed),
                )
            )
    columns = ["call", "clients", "p50 ms", "p99 ms", "requests/s", "server's cores", "clients' cores", "failed"]
    return tabulate.tabulate(rows, columns, tablefmt="github", disable_numparse=True)


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
