"""A server under load for minutes, and its memory: `python -m benchmarks.soak`."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import tabulate

from benchmarks.shared.client_processes import Calls, ClientProcesses
from benchmarks.shared.options import work_folder
from benchmarks.shared.server_process import ServerProcess
from benchmarks.shared.verdict import Verdict
from pipeline.comparison.provenance import provenance

MAX_GROWTH = 1.05
_WARM_UP_SHARE = 0.1


@click.command()
@click.option("--items", "num_items", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--clients", "num_clients", type=click.IntRange(3), default=16, show_default=True)
@click.option("--seconds", type=click.FloatRange(1), default=600.0, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), help="Folder that keeps the made-up release.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
def main(num_items: int, num_clients: int, seconds: float, work: Path | None, as_json: bool) -> None:
    """Have clients ask a server with --enable_batching, and look at its memory (RSS) once a second.

    A third of the clients asks by the project's client stage after stage, a third in one call, and a third sends raw
    retrieval requests. The first tenth of the time is for the server to take what it needs.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.serving.calls import PredictCalls, RecommendCalls
    from benchmarks.serving.run import SEED
    from benchmarks.serving.world import STAGES, ServingWorld, signature_inputs
    from serving.release.push import push

    source = provenance("python -m benchmarks.soak", str(SEED))
    world = ServingWorld(num_items, seed=SEED)
    with work_folder(work) as folder, tempfile.TemporaryDirectory() as base:
        (models,) = world.write_models(folder)
        push(models, base, stages=STAGES)
        with ServerProcess(Path(base), ["--enable_batching"]) as server:
            calls: list[Calls] = [
                RecommendCalls(server.target, STAGES, world.requests()),
                RecommendCalls(server.target, STAGES, world.requests(), one_call=True),
                PredictCalls(server.target, signature_inputs(world, models)["retrieval"].messages()),
            ]
            shares = [(num_clients + number) // len(calls) for number in range(len(calls))]
            with ClientProcesses(list(zip(calls, shares, strict=True))) as clients:
                resident_mib = _watch(server, seconds)
                answers = clients.stop()
    num_failed = sum(answer.failed for answer in answers)
    settled = resident_mib[int(_WARM_UP_SHARE * len(resident_mib)) :]
    growth = {"largest by smallest": max(settled) / min(settled)}
    claim = f"after the first tenth the memory of the server stays within {MAX_GROWTH - 1:.0%}"
    verdict = Verdict(claim, MAX_GROWTH, growth)
    places = [round(share * (len(resident_mib) - 1)) for share in np.linspace(0, 1, 11)]
    rows = [(f"{seconds * place / (len(resident_mib) - 1):.0f}", f"{resident_mib[place]:,.1f}") for place in places]
    click.echo("\n".join(f"- {name}: {value}" for name, value in source.items()))
    click.echo("\n" + tabulate.tabulate(rows, ["seconds", "MiB"], tablefmt="github", disable_numparse=True))
    click.echo(f"\n- {len(answers):,} requests, {num_failed} failed.\n- {verdict}.")
    if as_json:
        figures = {"num_requests": len(answers), "num_failed": num_failed, "resident_mib": resident_mib}
        click.echo(json.dumps({"provenance": source, "verdicts": [verdict.figures()], **figures}))
    sys.exit(1 if num_failed else 0)


def _watch(server: ServerProcess, seconds: float) -> Sequence[float]:
    """Returns the server's memory in MiB, once a second, or ten times in all."""
    num_looks = max(round(seconds), 10)
    end_s = time.monotonic() + seconds
    looks = [server.resident_mib()]
    for number in range(1, num_looks + 1):
        time.sleep(max(end_s - (num_looks - number) * seconds / num_looks - time.monotonic(), 0))
        looks.append(server.resident_mib())
    return looks


if __name__ == "__main__":
    main()
