"""Small KuaiRand-Pure folders in both forms."""

import datetime
from pathlib import Path

import pandas as pd
import pytest

_ZONE = datetime.timezone(datetime.timedelta(hours=8))


def _time_ms(date: int, hour: int) -> int:
    day = datetime.datetime.strptime(str(date), "%Y%m%d").replace(hour=hour, tzinfo=_ZONE)
    return int(day.timestamp() * 1000)


def _log(rows: list[tuple[int, int, int, int, int, int, int]]) -> pd.DataFrame:
    columns = ["user_id", "video_id", "date", "hour", "is_click", "is_like", "long_view"]
    table = pd.DataFrame(rows, columns=columns)
    table["time_ms"] = [_time_ms(date, hour) for date, hour in zip(table["date"], table["hour"], strict=True)]
    return table.drop(columns="hour").assign(tab=1)


def _write_features(folder: Path) -> None:
    users = pd.DataFrame(
        {"user_id": [7, 3], "user_active_degree": ["full_active", "UNKNOWN"], "onehot_feat4": [1.0, None]}
    )
    users.to_csv(folder / "user_features_pure.csv", index=False)
    videos = pd.DataFrame({"video_id": range(12)}).assign(
        author_id=5,
        video_type="NORMAL",
        upload_dt="2022-04-10",
        upload_type="Web",
        video_duration=[None, *range(1000, 12000, 1000)],
        music_id=9,
        music_type=4.0,
        tag=["39,68", None] + ["2"] * 10,
    )
    videos.to_csv(folder / "video_features_basic_pure.csv", index=False)


# user, video, date, hour, is_click, is_like, long_view; not sorted, with a repeated row and an unknown video
LATER = [
    (7, 4, 20220425, 9, 1, 0, 1),
    (7, 3, 20220425, 8, 0, 0, 0),
    (7, 4, 20220425, 9, 1, 0, 1),
    (7, 99, 20220425, 10, 0, 0, 0),
    (3, 1, 20220425, 7, 1, 0, 0),
    (7, 5, 20220426, 8, 1, 1, 0),
    (7, 6, 20220426, 9, 1, 0, 1),
    (7, 7, 20220426, 10, 0, 0, 1),
    (7, 3, 20220426, 11, 0, 0, 0),
    (8, 2, 20220427, 1, 0, 0, 0),
]


@pytest.fixture
def parquet_dir(tmp_path: Path) -> Path:
    _write_features(tmp_path)
    earlier = pd.DataFrame(
        [(7, 0, 0, 0, 0), (7, 2, 2, 1, 0), (7, 1, 1, 1, 1), (7, 3, 0, 1, 0), (3, 0, 4, 0, 0)],
        columns=["user_id", "pos", "video_id", "long_view", "is_like"],
    )
    earlier.to_parquet(tmp_path / "derived_train_last50_exposures.parquet")
    _log(LATER).to_parquet(tmp_path / "derived_exposures_0425_0508_raw_columns.parquet")
    return tmp_path


@pytest.fixture
def official_dir(tmp_path: Path) -> Path:
    _write_features(tmp_path)
    _log([(7, 1, 20220408, 5, 1, 1, 1), (7, 2, 20220421, 5, 1, 0, 0)]).to_csv(
        tmp_path / "log_standard_4_08_to_4_21_pure.csv", index=False
    )
    _log(LATER).to_csv(tmp_path / "log_standard_4_22_to_5_08_pure.csv", index=False)
    _log([(7, 8, 20220425, 6, 0, 0, 1)]).to_csv(tmp_path / "log_random_4_22_to_5_08_pure.csv", index=False)
    return tmp_path
