"""Reads and checks one day's RecFlow files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import feather

from sources.reading import DataError
from sources.recflow import layout
from sources.recflow.unpickle import load_pickle

Candidates = Mapping[int, Mapping[str, np.ndarray]]
Histories = Mapping[int, np.ndarray]


def read_feather(path: Path, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns int64 `columns` of a feather file.

    Raises:
      DataError: the file is missing, truncated, corrupt or empty, or a column is missing, not of integers,
        or has empty cells.
    """
    try:
        with pa.memory_map(str(path)) as source:
            schema = pa.ipc.open_file(source).schema
        for name in columns:
            if name not in schema.names:
                raise DataError(f"{path}: column `{name}` is missing. Found: {', '.join(sorted(schema.names))}")
            if not pa.types.is_integer(schema.field(name).type):
                raise DataError(f"{path}: column `{name}` must hold integers. Received: {schema.field(name).type}")
        table = feather.read_table(path, columns=list(columns))
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable feather file, truncated or corrupt ({error})") from error
    if table.num_rows == 0:
        raise DataError(f"{path}: the day is empty, at least one row is expected")
    for name in columns:
        if table.column(name).null_count:
            raise DataError(f"{path}: column `{name}` has {table.column(name).null_count} empty cells")
    return {name: table.column(name).to_numpy().astype(np.int64, copy=False) for name in columns}


def read_histories(path: Path) -> Histories:
    """Returns request id to history array, `[n, 10]`.

    Raises:
      DataError: the file is missing, truncated, corrupt, or breaks the layout.
    """
    histories = _read_requests(path)
    for request, history in histories.items():
        _check_array(path, f"history of request {request}", history, len(layout.HistoryColumn))
    return histories


def read_candidates(path: Path) -> Candidates:
    """Returns request id to stage name to candidate array, `[n, 8]`.

    Raises:
      DataError: the file is missing, truncated, corrupt, names an unknown stage, or breaks the layout.
    """
    candidates = _read_requests(path)
    for request, stages in candidates.items():
        if not isinstance(stages, dict):
            raise DataError(f"{path}: request {request} must hold a dict of stages. Received: {_kind(stages)}")
        for stage, rows in stages.items():
            if stage not in layout.STAGES:
                raise DataError(
                    f"{path}: unknown stage {stage!r} in request {request}. Expected one of: {', '.join(layout.STAGES)}"
                )
            _check_array(path, f"{stage} of request {request}", rows, len(layout.CandidateColumn))
    return candidates


def _read_requests(path: Path) -> dict[int, Any]:
    content = load_pickle(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a dict of requests. Received: {_kind(content)}")
    for request in content:
        if not isinstance(request, (int, np.integer)):
            raise DataError(f"{path}: request ids must be integers. Received: {_kind(request)} {request!r}")
    return content


def _check_array(path: Path, name: str, array: Any, num_columns: int) -> None:
    if (
        not isinstance(array, np.ndarray)
        or array.ndim != 2
        or array.shape[1] != num_columns
        or array.dtype.kind not in "iu"
    ):
        raise DataError(
            f"{path}: {name} must be an integer array of shape [n, {num_columns}]. Received: {_kind(array)}"
        )


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    return type(value).__name__
