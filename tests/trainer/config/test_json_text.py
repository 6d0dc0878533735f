import dataclasses
import json

import pytest

from trainer.config.json_text import from_json, to_json, to_plain
from trainer.config.losses import Lcron, LossConfig
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import Categorical, FeatureSpec, Hashed, HistoryFeature, Numeric, Timestamp

FEATURES = FeatureSpec(
    request=(
        Categorical("user_id", min_count=2),
        Numeric("age", dtype="int64"),
        Timestamp("request_time_ms"),
        Hashed("device_id", num_buckets=100),
    ),
    item=(Categorical("author", dtype="int64", max_vocabulary=9),),
    history=(HistoryFeature("grade", 5),),
    list_size=7,
)


@pytest.mark.parametrize(
    "value", [FEATURES, TrainerConfig(), TrainerConfig(seed=3, loss=LossConfig(Lcron(temperature=2.5)))]
)
def test_round_trip(value):
    assert from_json(type(value), to_json(value)) == value


def test_features_say_their_kind():
    plain = to_plain(FEATURES)
    assert [feature["kind"] for feature in plain["request"]] == ["categorical", "numeric", "timestamp", "hashed"]
    assert plain["item"] == [
        {
            "kind": "categorical",
            "name": "author",
            "dtype": "int64",
            "embedding_dim": 8,
            "max_vocabulary": 9,
            "min_count": 1,
        }
    ]


@pytest.mark.parametrize("value", [Lcron(temperature=3.0), Categorical("age", "int64")])
def test_a_class_with_a_kind_is_read_back_alone(value):
    assert from_json(type(value), to_json(value)) == value


@pytest.mark.parametrize("found", ["null", '"new"', "3"])
def test_a_format_that_is_none_of_ours_is_refused(found):
    with pytest.raises(ValueError, match=r"`format` must be 2\. Received: format=.*Install a newer version"):
        from_json(TrainerConfig, f'{{"format": {found}}}', expected_format=2)


def test_missing_keys_take_their_defaults_and_integers_serve_as_floats():
    config = from_json(TrainerConfig, '{"learning_rate": 1, "loss": {"method": {"kind": "lcron", "temperature": 5}}}')
    assert config == dataclasses.replace(TrainerConfig(), learning_rate=1.0, loss=LossConfig(Lcron(temperature=5.0)))
    assert type(config.learning_rate) is float


@pytest.mark.parametrize(
    ("cls", "text", "message"),
    [
        (TrainerConfig, "[1", "TrainerConfig must be JSON text"),
        (TrainerConfig, "[1]", r"TrainerConfig must be a JSON object. Received: \[1\]"),
        (TrainerConfig, '{"epoch": 3}', 'can not match "epoch"'),
        (TrainerConfig, '{"epochs": "3"}', '"epochs" - should be "int" instead of value "3"'),
        (TrainerConfig, '{"epochs": 0}', "`epochs` must be positive. Received: epochs=0"),
        (StageConfig, '{"name": "ranking", "tower": {"kind": "din"}}', 'missing value for field "capacity"'),
        (
            FeatureSpec,
            '{"request": [{"name": "age"}]}',
            r"`kind` must be one of .*: None, with {'name': 'age'}",
        ),
        (FeatureSpec, '{"request": [{"kind": "hashed", "name": "id", "num_buckets": 0}]}', "must be at least 2"),
        (FeatureSpec, '{"request": [{"kind": "numeric", "name": "age", "buckets": 3}]}', 'can not match "buckets"'),
    ],
)
def test_bad_text_is_refused(cls, text, message):
    with pytest.raises(ValueError, match=message):
        from_json(cls, text)


def test_text_is_stable():
    assert to_json(FEATURES) == to_json(from_json(FeatureSpec, json.dumps(to_plain(FEATURES))))
