"""Writes one simulated day in the RecFlow layout."""

import dataclasses
import pickle
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from sources.recflow import layout
from sources.recflow.layout import GROUP_SIZE, CandidateColumn
from sources.simulator.funnel import GROUPS, NUM_LOGGED, Logged
from sources.simulator.world import Items

PICKLE_PROTOCOL = 4


@dataclasses.dataclass(frozen=True)
class LoggedRequests:
    """B requests with everything that is logged about them.

    Args:
      contexts: int64 `[B]` for each of `layout.CONTEXT_COLUMNS`.
      histories: histories before the request, int64 `[B, 50, 10]`.
      logged: what the funnel logged.
      feedback: int64 `[B, realshow_size]` for each of `layout.FEEDBACK_COLUMNS`.
    """

    contexts: dict[str, np.ndarray]
    histories: np.ndarray
    logged: Logged
    feedback: dict[str, np.ndarray]


class DayWriter:
    """Writes the requests of one day; use as a context manager.

    The feather files are written as requests come, the pickles at the end of the day.

    Args:
      data_dir: existing folder of the data set.
      day: ISO day.
      items: features of the items.
    """

    def __init__(self, data_dir: Path, day: str, items: Items) -> None:
        self._data_dir = data_dir
        self._day = day
        self._items = items
        self._histories: dict[int, np.ndarray] = {}
        self._candidates: dict[int, dict[str, np.ndarray]] = {}
        self._all_stage = _feather_writer(layout.feather_path(data_dir, layout.ALL_STAGE, day))
        self._realshow = _feather_writer(layout.feather_path(data_dir, layout.REALSHOW, day))

    def __enter__(self) -> "DayWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._all_stage.close()
        self._realshow.close()
        if error is None:
            write_pickle(layout.pickle_path(self._data_dir, layout.HISTORIES, self._day), self._histories)
            write_pickle(layout.pickle_path(self._data_dir, layout.CANDIDATES, self._day), self._candidates)

    def write(self, requests: LoggedRequests) -> None:
        """Adds requests, later than those added before."""
        columns = _columns(requests, self._items)
        table = pa.table({name: columns[name].ravel() for name in layout.FEATHER_COLUMNS})
        self._all_stage.write_table(table)
        self._realshow.write_table(table.filter(pa.array(columns["realshow"].ravel() == 1)))
        arrays = _candidate_arrays(requests, columns)
        for row, request in enumerate(requests.contexts["request_id"].tolist()):
            self._histories[request] = requests.histories[row]
            self._candidates[request] = {stage: array[row] for stage, array in arrays.items()}


def make_folders(data_dir: Path) -> None:
    """Makes the folders of the layout."""
    for folder in (layout.ALL_STAGE, layout.REALSHOW, layout.HISTORIES, layout.CANDIDATES, layout.ID_COUNTS.parent):
        (data_dir / folder).mkdir(parents=True)


def write_pickle(path: Path, content: Any) -> None:
    with open(path, "wb") as file:
        pickle.dump(content, file, protocol=PICKLE_PROTOCOL)


def _feather_writer(path: Path) -> pa.RecordBatchFileWriter:
    schema = pa.schema([(name, pa.int64()) for name in layout.FEATHER_COLUMNS])
    return pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))


def _columns(requests: LoggedRequests, items: Items) -> dict[str, np.ndarray]:
    """Returns the feather columns, int64 `[B, 50]` each."""
    logged = requests.logged
    shape = logged.item.shape
    group = np.arange(NUM_LOGGED) // GROUP_SIZE
    columns = {name: np.broadcast_to(values[:, None], shape) for name, values in requests.contexts.items()}
    columns |= {
        "video_id": logged.item,
        "author_id": items.author[logged.item],
        "category_level_one": items.category_level_one[logged.item],
        "category_level_two": items.category_level_two[logged.item],
        "upload_type": items.upload_type[logged.item],
        "upload_timestamp": items.upload_time_s[logged.item],
        "duration": items.duration_ms[logged.item],
        "rank_index": logged.rank_index,
        "rerank_index": logged.rerank_index,
        "rank_pos": logged.rank_pos.astype(np.int64),
        "realshow": np.zeros(shape, np.int64),
    }
    for index, stage in enumerate(GROUPS):
        columns[stage] = np.broadcast_to((group == index).astype(np.int64), shape)
    for name, values in requests.feedback.items():
        columns[name] = np.zeros(shape, np.int64)
        columns[name][:, : values.shape[1]] = values
        columns["realshow"][:, : values.shape[1]] = 1
    return columns


def _candidate_arrays(requests: LoggedRequests, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the candidate arrays of every stage, int64 `[B, n, 8]`, best first."""
    rows = np.empty((*requests.logged.item.shape, len(CandidateColumn)), np.int64)
    rows[..., CandidateColumn.VIDEO] = columns["video_id"]
    rows[..., CandidateColumn.AUTHOR] = columns["author_id"]
    rows[..., CandidateColumn.DURATION_MS] = columns["duration"]
    rows[..., CandidateColumn.CATEGORY_LEVEL_TWO] = columns["category_level_two"]
    rows[..., CandidateColumn.UPLOAD_TYPE] = columns["upload_type"]
    rows[..., CandidateColumn.UPLOAD_TIME_S] = columns["upload_timestamp"]
    rows[..., CandidateColumn.CATEGORY_LEVEL_ONE] = columns["category_level_one"]
    rows[..., CandidateColumn.EFFECTIVE_VIEW] = columns["effective_view"]
    arrays = {stage: rows[:, index * GROUP_SIZE : (index + 1) * GROUP_SIZE] for index, stage in enumerate(GROUPS)}
    num_shown = next(iter(requests.feedback.values())).shape[1]
    arrays["realshow"] = rows[:, :num_shown]
    by_rank = np.argsort(requests.logged.rank_index[:, : 2 * GROUP_SIZE], axis=1)[:, :GROUP_SIZE]
    arrays["rank_pos"] = np.take_along_axis(rows, by_rank[:, :, None], axis=1)
    return {stage: arrays[stage] for stage in layout.STAGES}
