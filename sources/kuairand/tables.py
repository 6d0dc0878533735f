"""Reads a CSV or parquet file into checked columns."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sources.reading import DataError

Kind = Literal["integer", "flag", "number", "text"]
_EXPECTED: Mapping[Kind, str] = {
    "integer": "whole numbers",
    "flag": "0 or 1",
    "number": "numbers",
    "text": "text",
}


def read_table(path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame:
    """Reads the columns of one file.

    Args:
      path: a `.csv` or `.parquet` file.
      columns: name to kind. `integer` and `flag` (0 or 1) columns come back as int64 and may not be empty anywhere;
        `number` columns as float64 and `text` columns as `str`, NaN and "" where empty.

    Returns:
      The columns in the order of `columns`.

    Raises:
      DataError: the file is missing, empty, truncated or corrupt, lacks a column, or a value has another kind.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing")
    table = _read_csv(path, columns) if path.suffix == ".csv" else _read_parquet(path, columns)
    if table.empty:
        raise DataError(f"{path} holds no rows")
    return pd.DataFrame({name: _convert(path, name, kind, table[name]) for name, kind in columns.items()})


def _read_csv(path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file), [])
        _check_columns(path, columns, header)
        _check_last_line(path, len(header))
        text_columns = {name: str for name, kind in columns.items() if kind == "text"}
        return pd.read_csv(path, usecols=list(columns), dtype=text_columns, low_memory=False)
    except (pd.errors.ParserError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is truncated or corrupt: {error}") from error


def _check_last_line(path: Path, num_columns: int) -> None:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        last_line = file.read().rstrip(b"\r\n").rsplit(b"\n", 1)[-1].decode("utf-8", errors="replace")
    received = len(next(csv.reader([last_line]), []))
    if received != num_columns:
        raise DataError(f"{path} is truncated: its last line must have {num_columns} fields. Received: {received}")


def _read_parquet(path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame:
    try:
        _check_columns(path, columns, pq.read_schema(path).names)
        return pq.read_table(path, columns=list(columns)).to_pandas(integer_object_nulls=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is truncated or corrupt: {error}") from error


def _check_columns(path: Path, columns: Mapping[str, Kind], received: list[str]) -> None:
    for name in columns:
        if name not in received:
            raise DataError(f"{path}: column `{name}` is missing. Received columns: {', '.join(received)}")


def _convert(path: Path, name: str, kind: Kind, values: pd.Series) -> pd.Series:
    if kind == "text":
        return values.fillna("").astype(str)
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = numbers.isna()
    if kind == "number":
        wrong &= values.notna()
    elif kind == "integer":
        wrong |= numbers % 1 != 0
    else:
        wrong |= ~numbers.isin([0, 1])
    if wrong.any():
        row = int(wrong.to_numpy(dtype=bool).argmax())
        value = "nothing" if pd.isna(values.iloc[row]) else repr(values.iloc[row])
        raise DataError(f"{path}: column `{name}` must hold {_EXPECTED[kind]}. Received: {value} in row {row + 1}")
    return numbers.astype("float64" if kind == "number" else "int64")
