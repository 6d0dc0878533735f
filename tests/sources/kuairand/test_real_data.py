"""Facts of the parquet cut, counted independently of the adapter."""

import collections
from pathlib import Path

import pandas as pd
import pytest

from sources.kuairand import KuaiRandAdapter

DATA_DIR = Path(__file__).resolve().parents[4] / "shared" / "data" / "kuairand_pure"
LATER = DATA_DIR / "derived_exposures_0425_0508_raw_columns.parquet"

pytestmark = pytest.mark.skipif(not LATER.exists(), reason=f"KuaiRand-Pure is not at {DATA_DIR}")


@pytest.fixture(scope="module")
def day_exposures() -> pd.DataFrame:
    table = pd.read_parquet(LATER)
    return table[table["date"] == 20220508]


def test_a_test_day_loses_nothing(day_exposures: pd.DataFrame) -> None:
    data = KuaiRandAdapter(DATA_DIR, list_size=8)
    received = collections.defaultdict(set)
    for shard in data.request_shards(["2022-05-08"]):
        for request in data.read_requests(shard, lambda name, count: None):
            assert len(request["candidate_item_id"]) <= 8
            assert len(request.get("history_item_id", ())) <= 50
            rows = zip(request["candidate_item_id"], request["candidate_stage"], strict=True)
            received[request["user_id"][0]] |= {item for item, stage in rows if stage == 2}
    viewed = day_exposures[day_exposures["long_view"] == 1]
    expected = viewed.groupby("user_id")["video_id"].agg(lambda videos: set(map(str, videos)))
    assert {user: items for user, items in received.items() if items} == {
        str(user): items for user, items in expected.items()
    }


def test_catalogue_size() -> None:
    data = KuaiRandAdapter(DATA_DIR)
    assert sum(1 for _ in data.read_catalogue(data.days(), lambda name, count: None)) == 7583
