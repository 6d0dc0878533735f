import datetime
import zoneinfo

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from trainer.config.json_text import to_json
from trainer.data.features import Categorical, EncodedFeature, FeatureSpec, Hashed, Numeric, Timestamp
from trainer.data.preprocessing import encoded_features, request_preprocessing_fn, utc_offset_ms


def parse(serialized: bytes) -> dict[str, list]:
    """The features of an example that are there, as plain lists."""
    features = tf.train.Example.FromString(serialized).features.feature
    kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
    return {name: list(getattr(features[name], kind).value) for name, kind in kinds.items() if kind}


def transformed_by_id(files: list[str], key: str) -> dict[bytes, dict[str, list]]:
    rows = [parse(serialized) for serialized in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()]
    return {row[key][0]: row for row in rows}


def pairs(transformed_data) -> list[tuple[dict, dict]]:
    """Raw and transformed evaluation requests."""
    encoded = transformed_by_id(transformed_data.eval_files, "request_id")
    return [(raw, encoded[raw["request_id"][0]]) for raw in map(parse, transformed_data.eval_requests)]


def test_every_request_is_transformed(transformed_data):
    raw = {row["request_id"][0] for row in map(parse, transformed_data.train_requests)}
    assert set(transformed_by_id(transformed_data.train_files, "request_id")) == raw


def test_lists_pass_through(transformed_data):
    for raw, encoded in pairs(transformed_data):
        for name in ("history_item_id", "history_grade", "candidate_item_id", "candidate_stage", "candidate_rank"):
            assert encoded.get(name, []) == raw.get(name, [])


def test_timestamps_become_day_weekday_and_hour_of_the_zone(transformed_data):
    zone = zoneinfo.ZoneInfo("Asia/Shanghai")
    for raw, encoded in pairs(transformed_data):
        local = datetime.datetime.fromtimestamp(raw["request_time_ms"][0] / 1000, zone)
        assert encoded["request_time_ms_weekday"] == [local.weekday()]
        assert encoded["request_time_ms_hour"] == [local.hour]
        assert encoded["request_day"] == [(local.date() - datetime.date(1970, 1, 1)).days]


def test_vocabularies_give_one_id_a_value_and_the_last_to_the_rest(transformed_data):
    train = [value for row in map(parse, transformed_data.train_requests) for value in row.get("age", [])]
    num_ages = len(set(train))
    ids = {}
    for raw, encoded in pairs(transformed_data):
        if "age" in raw:
            ids.setdefault(raw["age"][0], set()).add(encoded["age"][0])
        else:
            assert encoded["age"] == [num_ages]
    assert all(len(values) == 1 for values in ids.values())
    assert set.union(*ids.values()) <= set(range(num_ages))
    assert len(set.union(*ids.values())) == len(ids) > 1


def test_numbers_are_cut_at_the_quantiles(transformed_data):
    train = np.array([row["activity"][0] for row in map(parse, transformed_data.train_requests)])
    encoded = transformed_by_id(transformed_data.train_files, "request_id")
    buckets = [row["activity"][0] for row in encoded.values()]
    assert np.bincount(buckets, minlength=4).tolist() == pytest.approx([len(train) / 4] * 4, abs=1)


def test_a_missing_item_feature_is_out_of_vocabulary(transformed_data):
    encoded = transformed_by_id(transformed_data.catalogue_files, "item_id")
    assert len(encoded) == 60
    assert encoded[b"item_07"]["category"] == [4]
    assert encoded[b"item_03"]["category"] == encoded[b"item_11"]["category"] != encoded[b"item_04"]["category"]


def test_ids_are_hashed_to_buckets_and_the_last_id_is_for_what_is_missing(transformed_data):
    items = transformed_by_id(transformed_data.catalogue_files, "item_id")
    raw_items = {row["item_id"][0]: row for row in map(parse, transformed_data.catalogue)}
    devices = [(raw.get("device_id", [None])[0], encoded["device_id"][0]) for raw, encoded in pairs(transformed_data)]
    authors = [(raw_items[key].get("author_id", [None])[0], encoded["author_id"][0]) for key, encoded in items.items()]
    # Buckets of FarmHash's 64-bit fingerprint, which a model that was trained elsewhere relies on.
    device_buckets = [4, 1, 1, 1, 1, 2, 1, 1, 2, 2, 4, 1, 1]
    device_bucket = {b"device_%d" % number: bucket for number, bucket in enumerate(device_buckets)} | {None: 5}
    author_bucket = dict(enumerate([1, 0, 1, 0, 2, 1, 2, 1])) | {None: 3}
    assert devices == [(value, device_bucket[value]) for value, _ in devices]
    assert authors == [(value, author_bucket[value]) for value, _ in authors]
    assert None in dict(devices)
    assert set(dict(authors)) == set(author_bucket)


def test_encoded_features_count_the_ids(transformed_data):
    request = encoded_features(
        tft.TFTransformOutput(transformed_data.request_transform_dir), transformed_data.features.request
    )
    num_users = len({row["user_id"][0] for row in map(parse, transformed_data.train_requests)})
    assert request == (
        EncodedFeature("user_id", num_users + 1, 4),
        EncodedFeature("age", 6, 2),
        EncodedFeature("activity", 4, 2),
        EncodedFeature("request_time_ms_weekday", 7, 2),
        EncodedFeature("request_time_ms_hour", 24, 2),
        EncodedFeature("device_id", 6, 2),
    )


@pytest.mark.parametrize(
    ("zone", "hours"), [("Asia/Shanghai", 8), ("UTC", 0), ("Asia/Kolkata", 5.5), ("Etc/GMT+3", -3)]
)
def test_utc_offset(zone, hours):
    assert utc_offset_ms(zone) == hours * 3_600_000


def test_zones_with_daylight_saving_are_refused():
    with pytest.raises(ValueError, match=r"`time_zone` must have a constant UTC offset. Received: .*'Europe/Berlin'"):
        utc_offset_ms("Europe/Berlin")


@pytest.mark.parametrize("zone", ["Asia/Nowhere", "Asia", "../etc", ""])
def test_what_is_no_time_zone_is_refused(zone):
    with pytest.raises(ValueError, match=f"`time_zone` must be an IANA time zone .* Received: time_zone='{zone}'"):
        FeatureSpec(time_zone=zone)


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (Categorical("town"), r"The feature `town` must be in the examples. Received: \['age', 'city', 'request_id'\]"),
        (Categorical("age"), "The request feature `age` is declared as string. Received: int64"),
        (Hashed("age"), "The request feature `age` is declared as string. Received: int64"),
        (Numeric("age"), "The request feature `age` is declared as float. Received: int64"),
        (Timestamp("city"), "The request feature `city` is declared as int64. Received: string"),
    ],
)
def test_examples_that_lack_a_declared_feature_are_refused(feature, message):
    inputs = {"request_id": tf.constant(["r"]), "city": tf.constant(["c"]), "age": tf.constant([3], tf.int64)}
    with pytest.raises(ValueError, match=message):
        request_preprocessing_fn(inputs, {"features": to_json(FeatureSpec(request=(feature,)))})
