from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.evaluation.catalogue import UNKNOWN, Catalogue, read_catalogue
from trainer.evaluation.requests import MISSING, read_requests

A_REQUEST = {"request_id": "r", "request_time_ms": 5, "candidate_item_id": ["a"], "candidate_stage": [3]}


@pytest.fixture
def catalogue(world: dict) -> Catalogue:
    return read_catalogue(world["catalogue_files"])


def read(catalogue: Catalogue, *files: str, **options):
    return read_requests(files, catalogue, ground_truth_stage=3, batch_size=3, **options)


def test_columns(world: dict, catalogue: Catalogue) -> None:
    requests = read(catalogue, *world["request_files"], request_features=("tab", "user_id"))
    assert requests.request_id.tolist() == [b"r1", b"r2", b"r3", b"r4"]
    assert requests.history_size.tolist() == [0, 1, 0, 3]
    assert requests.ground_truth.request.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 3]
    assert requests.ground_truth.item.tolist() == [2, 0, 3, UNKNOWN, 0, 1, 3, 2, 3]
    assert (requests.excluded.request.tolist(), requests.excluded.item.tolist()) == ([1], [0])
    assert requests.values["tab"].tolist() == ["1", "2", "2", MISSING]
    assert requests.values["user_id"].tolist() == ["u1", "u1", "u1", "u2"]


def test_max_requests(world: dict, catalogue: Catalogue) -> None:
    assert len(read(catalogue, *world["request_files"], max_requests=2)) == 2


def test_ground_truth_that_is_logged_twice_counts_once(catalogue: Catalogue, write_rows: Callable) -> None:
    row = {**A_REQUEST, "candidate_item_id": ["a", "b", "a"], "candidate_stage": [3, 3, 3]}
    assert read(catalogue, write_rows("twice", [row])).ground_truth.item.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "There must be at least one request"),
        ([{**A_REQUEST, "candidate_stage": [2]}], "None of the 1 requests has ground truth"),
        (
            [{**A_REQUEST, "candidate_stage": [3, 3]}],
            "`candidate_stage` must hold one value per candidate. Received: 2 values for 1 candidates in request 'r'",
        ),
        ([{**A_REQUEST, "request_time_ms": "now"}], "Cannot read examples from .*bad.tfrecord.gz: .*request_time_ms"),
    ],
)
def test_bad_requests(catalogue: Catalogue, write_rows: Callable, rows: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(catalogue, write_rows("bad", rows))


def test_feature_that_no_request_has(world: dict, catalogue: Catalogue) -> None:
    with pytest.raises(ValueError, match="No request has the feature 'country' that slices are asked for"):
        read(catalogue, *world["request_files"], request_features=("country",))


def test_truncated_file(world: dict, catalogue: Catalogue, tmp_path: Path) -> None:
    whole = Path(world["request_files"][0]).read_bytes()
    half = tmp_path / "half.tfrecord.gz"
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"Cannot read examples from .*half.tfrecord.gz"):
        read(catalogue, str(half))


def test_catalogue(catalogue: Catalogue, write_rows: Callable) -> None:
    assert catalogue.num_items == 5
    assert catalogue.upload_time_ms[4] == UNKNOWN
    with pytest.raises(ValueError, match=r"An item is listed once in the catalogue. Received twice: b'a'"):
        read_catalogue([write_rows("twice", [{"item_id": "a"}, {"item_id": "a"}])])
    with pytest.raises(ValueError, match="The catalogue must hold at least one item"):
        read_catalogue([write_rows("empty", [])])
