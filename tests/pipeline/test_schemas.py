from pathlib import Path

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from components.example_gen.serialization import serialize_record
from sources.kuairand.adapter import DEFAULT_USER_FEATURES

SCHEMAS = Path(__file__).parents[2] / "pipeline" / "schemas"
FIRST = {
    "request_id": ["7-20220430-0"],
    "user_id": ["7"],
    "request_time_ms": [1651248000000],
    **{name: ["UNKNOWN"] for name in DEFAULT_USER_FEATURES},
    "candidate_item_id": ["1", "2", "3"],
    "candidate_stage": [2, 1, 0],
    "candidate_rank": [0, 0, 0],
    "candidate_label": [4.0, 1.0, 0.0],
}
SECOND = {
    **FIRST,
    "request_id": ["7-20220501-0"],
    "history_item_id": ["1", "2"],
    "history_grade": [4, 1],
    "history_age_days": [1, 1],
    "exclude_item_id": ["1", "2"],
}
VIDEO = {
    "item_id": ["1"],
    "author_id": ["5"],
    "video_type": ["NORMAL"],
    "upload_type": ["LongImport"],
    "upload_time_ms": [1649520000000],
    "video_duration_ms": [0],
    "music_id": ["9"],
    "music_type": ["9.0"],
    "tag": ["11"],
    "tags": ["11,68"],
}


def anomalies(schema, *records):
    """Anomalies of examples by feature."""
    batch = ExamplesToRecordBatchDecoder().DecodeBatch([serialize_record(record) for record in records])
    statistics = generate_statistics_in_memory(batch)
    found = tfdv.validate_statistics(statistics, tfdv.load_schema_text(str(SCHEMAS / schema)))
    return {name: info.description for name, info in found.anomaly_info.items()}


def test_clean_examples_fit_the_schema_of_kuairand():
    assert anomalies("kuairand/requests.pbtxt", FIRST, SECOND) == {}
    assert anomalies("kuairand/requests.pbtxt", FIRST) == {}  # nobody has a history on the first day
    assert anomalies("kuairand/catalogue.pbtxt", VIDEO, {**VIDEO, "item_id": ["2"]}) == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("candidate_label", [9.0, 1.0, 0.0]),
        ("candidate_stage", [3, 1, 0]),
        ("candidate_rank", [1, 0, 0]),
        ("candidate_item_id", []),
        ("history_grade", [5, 1]),
        ("history_age_days", [-1, 1]),
        ("request_time_ms", [1651248000]),
        ("onehot_feat10", []),
        ("device", ["unheard of"]),
    ],
)
def test_anomalous_requests_of_kuairand_are_named(name, values):
    assert list(anomalies("kuairand/requests.pbtxt", FIRST, {**SECOND, name: values})) == [name]


@pytest.mark.parametrize(
    ("name", "values"),
    [("upload_time_ms", [1649520000]), ("video_duration_ms", [-1]), ("tag", []), ("author_id", ["5", "6"])],
)
def test_anomalous_videos_of_kuairand_are_named(name, values):
    assert list(anomalies("kuairand/catalogue.pbtxt", VIDEO, {**VIDEO, name: values})) == [name]
