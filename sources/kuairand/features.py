"""User features and catalogue records of KuaiRand-Pure."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sources.adapter import Record
from sources.kuairand.layout import USER_FEATURES, VIDEO_FEATURES
from sources.kuairand.tables import Kind, read_table
from sources.reading import DataError

UNKNOWN = "UNKNOWN"
"""The value of every text feature that the files leave empty; the files use the same word themselves."""

_VIDEO_COLUMNS: Mapping[str, Kind] = {
    "video_id": "integer",
    "author_id": "integer",
    "video_type": "text",
    "upload_dt": "text",
    "upload_type": "text",
    "video_duration": "number",
    "music_id": "integer",
    "music_type": "text",
    "tag": "text",
}


@dataclasses.dataclass(frozen=True)
class UserFeatures:
    """The features of all users, as text.

    Args:
      user_ids: `[U]` sorted.
      records: `[U]` feature name to value, in the order of `user_ids`.
      unknown: the features of any other user.
    """

    user_ids: np.ndarray
    records: Sequence[Record]
    unknown: Record


def read_user_features(data_dir: Path, columns: Sequence[str]) -> UserFeatures:
    """Reads the named columns of the user file; an empty value becomes `"UNKNOWN"`.

    Raises:
      DataError: the file cannot be used, or lists a user twice.
    """
    path = data_dir / USER_FEATURES
    kinds: dict[str, Kind] = {"user_id": "integer", **dict.fromkeys(columns, "text")}
    table = _read_unique(path, kinds, "user_id")
    texts = table[list(columns)].replace("", UNKNOWN)
    records = [{name: [value] for name, value in row.items()} for row in texts.to_dict("records")]
    unknown = {name: [UNKNOWN] for name in columns}
    return UserFeatures(table["user_id"].to_numpy(), records, unknown)


def read_video_ids(data_dir: Path) -> np.ndarray:
    """Returns the `[V]` sorted ids of the catalogue.

    Raises:
      DataError: the file cannot be used, or lists a video twice.
    """
    return _read_unique(data_dir / VIDEO_FEATURES, {"video_id": "integer"}, "video_id")["video_id"].to_numpy()


def read_videos(data_dir: Path, time_zone: datetime.tzinfo) -> list[Record]:
    """Reads the catalogue, one record per video, ordered by item id.

    The file says the day of an upload: `upload_time_ms` is the start of that day in `time_zone`. Where the file is
    empty, `video_duration_ms` is 0 and a text is `"UNKNOWN"`. A video has several tags: `tag` is the first, `tags` all.

    Raises:
      DataError: the file cannot be used, or lists a video twice.
    """
    path = data_dir / VIDEO_FEATURES
    table = _read_unique(path, _VIDEO_COLUMNS, "video_id")
    uploads = pd.to_datetime(table["upload_dt"], format="%Y-%m-%d", errors="coerce")
    if uploads.isna().any():
        row = table["upload_dt"][uploads.isna()].iloc[0]
        raise DataError(f"{path}: column `upload_dt` must hold days like '2022-04-10'. Received: {row!r}")
    upload_times_ms = uploads.dt.tz_localize(time_zone).map(lambda time: int(time.timestamp() * 1000))
    texts = table.replace("", UNKNOWN)
    columns = {
        "item_id": table["video_id"].astype(str),
        "author_id": table["author_id"].astype(str),
        "video_type": texts["video_type"],
        "upload_type": texts["upload_type"],
        "upload_time_ms": upload_times_ms,
        "video_duration_ms": table["video_duration"].fillna(0).astype(np.int64),
        "music_id": table["music_id"].astype(str),
        "music_type": texts["music_type"],
        "tag": texts["tag"].str.split(",").str[0],
        "tags": texts["tag"],
    }
    records = pd.DataFrame(columns).sort_values("item_id").to_dict("records")
    return [{name: [value] for name, value in record.items()} for record in records]


def _read_unique(path: Path, columns: Mapping[str, Kind], key: str) -> pd.DataFrame:
    table = read_table(path, columns).sort_values(key, ignore_index=True)
    repeated = table[key].duplicated()
    if repeated.any():
        raise DataError(f"{path}: column `{key}` must be unique. Received: {table[key][repeated].iloc[0]} twice")
    return table
