"""Simulates a world's requests day by day and writes them in the RecFlow layout."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from sources.reading import DataError
from sources.recflow.layout import ID_COUNTS
from sources.simulator.config import SimulatorConfig
from sources.simulator.day import simulate_day
from sources.simulator.histories import warm_up
from sources.simulator.oracle import Oracle, read_oracle, write_oracle
from sources.simulator.work_folder import work_folder
from sources.simulator.world import World
from sources.simulator.writer import DayWriter, make_folders, write_pickle

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class SimulationReport:
    """What a simulation left on disk.

    Args:
      data_dir: the folder, in the RecFlow layout.
      days: ISO days.
      num_requests: requests of all days.
      best_recall: `"rank_pos"` and `"rerank_pos"` to cut (`"10"`, `"20"`, `"50"`, `"100"`) to the best possible
        end-to-end recall over the whole catalogue.
      reused: the folder already held this configuration's data, nothing was written.
    """

    data_dir: Path
    days: tuple[str, ...]
    num_requests: int
    best_recall: Mapping[str, Mapping[str, float]]
    reused: bool


def simulate(
    config: SimulatorConfig,
    out_dir: Path | str,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SimulationReport:
    """Simulates and writes a data set that `sources.recflow.RecFlowAdapter` reads.

    `out_dir` appears complete or not at all. If it already holds the same configuration's data, that is kept. Of
    several runs into the same folder at a time, the first to end decides what the others find there.

    Args:
      config: the world.
      out_dir: folder to write.
      overwrite: simulate anew if `out_dir` holds a simulation, whichever its configuration.
      progress: called as `progress(done_requests, total_requests)`.

    Raises:
      DataError: `out_dir` holds something else, or another configuration's data and `overwrite` is false, or it
        cannot be written.
    """
    out_dir = Path(out_dir).absolute()
    try:
        oracle = _existing(config, out_dir, overwrite)
        if oracle is not None:
            return _report(config, out_dir, oracle, reused=True)
        with work_folder(out_dir) as folder:
            make_folders(folder / "new")
            oracle = _simulate(config, folder / "new", progress)
            meanwhile = _existing(config, out_dir, overwrite)
            if meanwhile is not None:
                return _report(config, out_dir, meanwhile, reused=True)
            if out_dir.exists():
                out_dir.rename(folder / "old")
            (folder / "new").rename(out_dir)
    except OSError as error:
        raise DataError(f"{out_dir}: the folder cannot be written ({error})") from error
    return _report(config, out_dir, oracle, reused=False)


def _existing(config: SimulatorConfig, out_dir: Path, overwrite: bool) -> dict | None:
    """Returns the oracle of finished data that can be reused, after refusing folders that must be kept."""
    if not out_dir.exists():
        return None
    if not out_dir.is_dir():
        raise DataError(f"{out_dir}: a folder is expected, a file is there")
    if not any(out_dir.iterdir()):
        return None
    oracle = read_oracle(out_dir)
    if oracle is None or "config" not in oracle or "best_recall" not in oracle:
        raise DataError(f"{out_dir}: the folder holds something that is not a simulation; choose an empty one")
    if overwrite:
        return None
    if oracle["config"] != dataclasses.asdict(config):
        raise DataError(
            f"{out_dir}: the folder holds a simulation of another configuration; choose another folder or overwrite it"
        )
    return oracle


def _report(config: SimulatorConfig, out_dir: Path, oracle: Mapping, *, reused: bool) -> SimulationReport:
    return SimulationReport(
        data_dir=out_dir,
        days=tuple(config.day(index) for index in range(config.num_days)),
        num_requests=config.num_requests,
        best_recall=oracle["best_recall"],
        reused=reused,
    )


def _simulate(config: SimulatorConfig, data_dir: Path, progress: Progress | None) -> dict:
    """Writes every day and returns the content of the oracle file."""
    world = World(config)
    histories = warm_up(world)
    num_done = 0
    by_day: dict[str, Oracle] = {}
    for index in range(config.num_days):
        day = config.day(index)
        oracle = by_day[day] = Oracle()
        if index:
            world.drift(index)
        with DayWriter(data_dir, day, world.items) as writer:
            for simulated in simulate_day(world, histories, index):
                writer.write(simulated.requests)
                oracle.add(simulated.affinity, simulated.requests.logged)
                num_done += len(simulated.affinity)
                if progress is not None:
                    progress(num_done, config.num_requests)
    write_pickle(data_dir / ID_COUNTS, world.id_counts())
    content = {
        "config": dataclasses.asdict(config),
        "best_recall": Oracle.merge(by_day.values()).recall(),
        "best_recall_by_day": {day: oracle.recall() for day, oracle in by_day.items()},
    }
    write_oracle(data_dir, content)
    return content
