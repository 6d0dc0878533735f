"""Every bad file gets one error that names it, the column, what was expected and what came."""

from pathlib import Path

import pandas as pd
import pytest

from sources.kuairand import KuaiRandAdapter
from sources.reading import DataError

LATER_CSV = "log_standard_4_22_to_5_08_pure.csv"
LATER_PARQUET = "derived_exposures_0425_0508_raw_columns.parquet"
EARLIER_PARQUET = "derived_train_last50_exposures.parquet"


def read(folder: Path, **options: object) -> None:
    data = KuaiRandAdapter(folder, user_features=("user_active_degree",), **options)
    for shard in data.request_shards(["2022-04-25"]):
        list(data.read_requests(shard, lambda name, count: None))
    list(data.read_catalogue(["2022-04-25"], lambda name, count: None))


def rewrite(path: Path, **columns: object) -> None:
    is_csv = path.suffix == ".csv"
    table = (pd.read_csv(path) if is_csv else pd.read_parquet(path)).assign(**columns)
    table.to_csv(path, index=False) if is_csv else table.to_parquet(path)


@pytest.mark.parametrize("form", ["parquet_dir", "official_dir"])
def test_good_files_pass(form: str, request: pytest.FixtureRequest) -> None:
    read(request.getfixturevalue(form))


@pytest.mark.parametrize(("form", "name"), [("parquet_dir", LATER_PARQUET), ("official_dir", LATER_CSV)])
class TestBothForms:
    @pytest.fixture
    def log(self, form: str, name: str, request: pytest.FixtureRequest) -> Path:
        return request.getfixturevalue(form) / name

    def test_missing_column(self, log: Path) -> None:
        table = pd.read_csv(log) if log.suffix == ".csv" else pd.read_parquet(log)
        table = table.drop(columns="is_like")
        table.to_csv(log, index=False) if log.suffix == ".csv" else table.to_parquet(log)
        with pytest.raises(DataError, match=rf"{log.name}: column `is_like` is missing. Received columns: user_id"):
            read(log.parent)

    def test_wrong_dtype(self, log: Path) -> None:
        rewrite(log, user_id=["u1"] * 10)
        with pytest.raises(DataError, match=r"column `user_id` must hold whole numbers. Received: 'u1' in row 1"):
            read(log.parent)

    def test_flag_out_of_range(self, log: Path) -> None:
        rewrite(log, is_click=[1, 0, 2, *[0] * 7])
        with pytest.raises(DataError, match=r"column `is_click` must hold 0 or 1. Received: 2 in row 3"):
            read(log.parent)

    def test_empty_value(self, log: Path) -> None:
        rewrite(log, video_id=pd.array([None, *[1] * 9], dtype="Int64"))
        with pytest.raises(DataError, match=r"column `video_id` must hold whole numbers. Received: nothing in row 1"):
            read(log.parent)

    def test_truncated(self, log: Path) -> None:
        content = log.read_bytes()
        log.write_bytes(content[: len(content) // 2])
        with pytest.raises(DataError, match=rf"{log.name} is truncated"):
            read(log.parent)

    def test_no_rows(self, log: Path) -> None:
        table = pd.read_csv(log) if log.suffix == ".csv" else pd.read_parquet(log)
        table = table.iloc[:0]
        table.to_csv(log, index=False) if log.suffix == ".csv" else table.to_parquet(log)
        with pytest.raises(DataError, match=rf"{log.name} holds no rows"):
            read(log.parent)

    def test_date_outside_the_file(self, log: Path) -> None:
        rewrite(log, date=20220601)
        with pytest.raises(DataError, match=r"column `date` must lie between .* Received: 20220601 in row 1"):
            read(log.parent)

    def test_wrong_zone(self, log: Path) -> None:
        with pytest.raises(DataError, match=r"`date` must be the day of `time_ms` in the time zone America/New_York"):
            read(log.parent, time_zone="America/New_York")

    def test_no_known_video(self, log: Path) -> None:
        for path in log.parent.glob("*.parquet" if log.suffix == ".parquet" else "log_*.csv"):
            rewrite(path, video_id=99)
        with pytest.raises(DataError, match=r"is in the catalogue of 12 videos"):
            read(log.parent)


def test_csv_cut_after_the_columns_that_are_read(official_dir: Path) -> None:
    log = official_dir / LATER_CSV
    log.write_bytes(log.read_bytes().rstrip()[:-2])
    with pytest.raises(DataError, match=r"is truncated: its last line must have 8 fields. Received: 7"):
        read(official_dir)


def test_two_exposures_at_one_position(parquet_dir: Path) -> None:
    rewrite(parquet_dir / EARLIER_PARQUET, pos=0)
    with pytest.raises(DataError, match=r"one exposure at each `pos`. Received: user 7 has two at pos 0"):
        read(parquet_dir)


@pytest.mark.parametrize(
    ("name", "key"), [("user_features_pure.csv", "user_id"), ("video_features_basic_pure.csv", "video_id")]
)
def test_duplicate_feature_row(parquet_dir: Path, name: str, key: str) -> None:
    rewrite(parquet_dir / name, **{key: 3})
    with pytest.raises(DataError, match=rf"{name}: column `{key}` must be unique. Received: 3 twice"):
        read(parquet_dir)


def test_bad_upload_day(parquet_dir: Path) -> None:
    rewrite(parquet_dir / "video_features_basic_pure.csv", upload_dt="10/04/2022")
    with pytest.raises(DataError, match=r"`upload_dt` must hold days like '2022-04-10'. Received: '10/04/2022'"):
        read(parquet_dir)


def test_missing_feature_file(parquet_dir: Path) -> None:
    (parquet_dir / "user_features_pure.csv").unlink()
    with pytest.raises(DataError, match=r"user_features_pure.csv is missing"):
        read(parquet_dir)


def test_neither_form(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold either log_standard_.* or derived_.* Received: neither"):
        KuaiRandAdapter(tmp_path).days()


def test_both_forms(official_dir: Path) -> None:
    (official_dir / LATER_PARQUET).touch()
    with pytest.raises(DataError, match=r"Received: both"):
        KuaiRandAdapter(official_dir).days()


def test_random_log_needs_the_official_files(parquet_dir: Path) -> None:
    with pytest.raises(DataError, match=r"`random_log` needs the official files"):
        KuaiRandAdapter(parquet_dir, random_log=True).days()
