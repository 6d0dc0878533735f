import pytest
import tensorflow as tf

from components.example_gen.serialization import serialize_record
from components.serving_validator.logged_requests import read_logged_requests


@pytest.fixture
def write(tmp_path):
    def write(name, records):
        path = str(tmp_path / name)
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for record in records:
                writer.write(serialize_record(record))
        return path

    return write


def test_transformed_requests_come_in_the_order_of_the_raw_ones(write, tmp_path):
    raw = write(
        "raw",
        [
            {"request_id": ["a"], "candidate_item_id": ["i1", "i2"], "exclude_item_id": ["i9"]},
            {"request_id": ["b"]},
            {"request_id": ["c"]},
        ],
    )
    transformed = write("transformed", [{"request_id": [name], "user_id": [n]} for n, name in enumerate("cba")])
    requests = read_logged_requests([raw], [transformed], 2, tmp_path / "out")
    assert [request.candidate_ids for request in requests] == [(b"i1", b"i2"), ()]
    assert [request.excluded_ids for request in requests] == [(b"i9",), ()]
    written = tf.data.TFRecordDataset(str(tmp_path / "out"), "GZIP").as_numpy_iterator()
    users = [tf.train.Example.FromString(r).features.feature["user_id"].int64_list.value[0] for r in written]
    assert users == [2, 1]


def test_request_that_transform_lost(write, tmp_path):
    raw, transformed = write("raw", [{"request_id": ["a"]}]), write("transformed", [{"request_id": ["b"]}])
    with pytest.raises(ValueError, match=r"Request a is missing among the transformed requests"):
        read_logged_requests([raw], [transformed], 2, tmp_path / "out")


def test_no_request(write, tmp_path):
    with pytest.raises(ValueError, match=r"The requests must be at least one. Received: none"):
        read_logged_requests([write("raw", [])], [], 2, tmp_path / "out")
