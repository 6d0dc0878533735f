"""Runs the serving benchmark for a catalogue."""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.serving.calls import PredictCalls, RecommendCalls
from benchmarks.serving.cells import Cell, measure
from benchmarks.serving.floor import Floor, load
from benchmarks.serving.floor import measure as measure_floor
from benchmarks.serving.world import STAGES, Inputs, ServingWorld, signature_inputs
from benchmarks.shared.client_processes import Calls
from benchmarks.shared.server_process import ServerProcess
from serving.release.push import push
from trainer.config.index import IndexKind

SEED = 17
_BATCHING = "num_batch_threads { value: 1 }"  # a batch has all CPUs; two at a time would be smaller and slower
RETRIEVAL, RANKING, ONE_CALL, TWO_HOPS = "retrieval of 100", "ranking of 200", "cascade, one call", "cascade, two hops"


@dataclasses.dataclass(frozen=True)
class Results:
    """What was measured with one catalogue.

    Args:
      num_items: of it.
      floors: what the models do in this process, by call.
      cells: what clients of a server see.
    """

    num_items: int
    floors: dict[str, Floor]
    cells: list[Cell]


def run(
    num_items: int,
    index: IndexKind,
    num_clients: Sequence[int],
    seconds: float,
    folder: Path,
    report: Callable[[str], None],
) -> Results:
    """Measures every call without a server, then with one for every number of clients.

    Args:
      num_items: of the catalogue.
      index: kind of its search.
      num_clients: that ask at the same time, in turn.
      seconds: of each measurement.
      folder: that keeps the models.
      report: gets a line for each measurement.
    """
    world = ServingWorld(num_items, index, seed=SEED)
    (models,) = world.write_models(folder)
    inputs = signature_inputs(world, models)
    floors = _floors(inputs, models, seconds)
    for call, floor in floors.items():
        report(f"{num_items} items, {call}, in this process: {floor}")
    cells = []
    with tempfile.TemporaryDirectory() as base:
        push(models, base, stages=STAGES)
        parameters = Path(base) / "batching.config"
        parameters.write_text(_BATCHING)
        batching_flags = ["--enable_batching", f"--batching_parameters_file={parameters}"]
        for batching in (False, True):
            chosen = [number for number in num_clients if (number > 1) == batching]
            if not chosen:
                continue
            with ServerProcess(Path(base), batching_flags if batching else []) as server:
                for call, calls in _calls(server.target, world, inputs).items():
                    for number in chosen:
                        cell = measure(
                            calls,
                            server,
                            num_items=num_items,
                            call=call,
                            num_clients=number,
                            batching=batching,
                            seconds=seconds,
                        )
                        report(str(cell))
                        cells.append(cell)
    return Results(num_items, floors, cells)


def _floors(inputs: dict[str, Inputs], models: dict[str, Path], seconds: float) -> dict[str, Floor]:
    functions = load(models)
    hops = {
        RETRIEVAL: [inputs["retrieval"]],
        RANKING: [inputs["ranking"]],
        ONE_CALL: [inputs["cascade"]],
        TWO_HOPS: [inputs["candidates"], inputs["ranking"]],
    }
    return {call: measure_floor(each, functions, seconds) for call, each in hops.items()}


def _calls(target: str, world: ServingWorld, inputs: dict[str, Inputs]) -> dict[str, Calls]:
    return {
        RETRIEVAL: PredictCalls(target, inputs["retrieval"].messages()),
        RANKING: PredictCalls(target, inputs["ranking"].messages()),
        ONE_CALL: PredictCalls(target, inputs["cascade"].messages()),
        TWO_HOPS: RecommendCalls(target, STAGES, world.requests()),
    }
