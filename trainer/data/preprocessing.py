"""The TensorFlow Transform graphs of requests and of catalogue items, the same in training and in serving."""

import datetime
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf
import tensorflow_transform as tft

from serving import signatures
from trainer.config.json_text import from_json
from trainer.data.features import Categorical, EncodedFeature, Feature, FeatureSpec, Hashed, Numeric, Timestamp
from trainer.data.request_batch import CANDIDATE_STAGE, REQUEST_DAY

Tensor: TypeAlias = tf.Tensor | tf.SparseTensor

REQUEST_ID = "request_id"
REQUEST_TIME_MS = "request_time_ms"
CANDIDATE_RANK = "candidate_rank"
CANDIDATE_LABEL = "candidate_label"

MISSING_INT64 = -1
"""An int64 categorical or hashed feature of this value is missing."""

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


def request_preprocessing_fn(inputs: Mapping[str, Tensor], custom_config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Encodes the scalars of request examples; ids, lists and `request_id` pass through.

    Args:
      inputs: raw features, dense `[B]` or `[B, 1]` or sparse; lists dense or sparse.
      custom_config: holds under `"features"` the `FeatureSpec` as JSON.

    Returns:
      The encoded scalars, int64 `[B]`, by encoded name, the day of the request as `request_day`, int64 `[B]`, in days
      since 1970 in the data's time zone, and the features that pass through.

    Raises:
      ValueError: a declared feature is not among the inputs or has another type.
    """
    features = from_json(FeatureSpec, custom_config["features"])
    lists = [
        signatures.HISTORY_ITEM_ID,
        *(feature.example_name for feature in features.history),
        signatures.CANDIDATE_ITEM_ID,
        CANDIDATE_STAGE,
        CANDIDATE_RANK,
        CANDIDATE_LABEL,
        signatures.EXCLUDE_ITEM_ID,
    ]
    outputs = _encode(inputs, features.request, features.time_zone, "request")
    outputs[REQUEST_ID] = _dense(_input(inputs, REQUEST_ID), "")
    local_ms = _dense(_input(inputs, REQUEST_TIME_MS), 0) + utc_offset_ms(features.time_zone)
    outputs[REQUEST_DAY] = tf.math.floordiv(local_ms, _DAY_MS)
    return outputs | {name: inputs[name] for name in lists if name in inputs}


def catalogue_preprocessing_fn(inputs: Mapping[str, Tensor], custom_config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Encodes the scalars of catalogue examples; `item_id` passes through.

    Args:
      inputs: raw features, dense `[B]` or `[B, 1]` or sparse.
      custom_config: holds under `"features"` the `FeatureSpec` as JSON.

    Returns:
      The encoded scalars, int64 `[B]`, by encoded name, and `item_id`, string `[B]`.

    Raises:
      ValueError: a declared feature is not among the inputs or has another type.
    """
    features = from_json(FeatureSpec, custom_config["features"])
    outputs = _encode(inputs, features.item, features.time_zone, "item")
    outputs[signatures.ITEM_ID] = _dense(_input(inputs, signatures.ITEM_ID), "")
    return outputs


def encoded_features(
    transform_output: tft.TFTransformOutput, features: Sequence[Feature]
) -> tuple[EncodedFeature, ...]:
    """The features that Transform made of the declared ones, with their cardinalities.

    Args:
      transform_output: of the Transform that encoded them.
      features: `FeatureSpec.request` or `FeatureSpec.item`.

    Returns:
      One `EncodedFeature` for every encoded name, in the order of the declarations.
    """
    encoded = []
    for feature in features:
        if isinstance(feature, Categorical):
            # One id more for everything outside the vocabulary.
            cardinalities = [transform_output.vocabulary_size_by_name(feature.name) + 1]
        elif isinstance(feature, Hashed):
            cardinalities = [feature.num_buckets + 1]  # one more for what is missing
        elif isinstance(feature, Numeric):
            cardinalities = [feature.num_buckets]
        else:
            cardinalities = [7, 24]
        for name, cardinality in zip(feature.encoded_names, cardinalities, strict=True):
            encoded.append(EncodedFeature(name, cardinality, feature.embedding_dim))
    return tuple(encoded)


def missing_value(feature: Feature) -> str | int | float:
    """What stands for a missing value of the feature where a tensor must hold something."""
    if isinstance(feature, Categorical | Hashed):
        return "" if feature.dtype == "string" else MISSING_INT64
    return 0.0 if feature.dtype == "float" else 0


def utc_offset_ms(time_zone: str) -> int:
    """Offset of a time zone from UTC in milliseconds.

    Args:
      time_zone: IANA name, such as `"Asia/Shanghai"`.

    Raises:
      ValueError: the zone's offset changed between 2015 and 2030, for example by daylight saving.
    """
    zone = zoneinfo.ZoneInfo(time_zone)
    months = (datetime.datetime(year, month, 1, tzinfo=zone) for year in range(2015, 2031) for month in range(1, 13))
    offsets = {time.utcoffset() or datetime.timedelta() for time in months}
    if len(offsets) > 1:
        raise ValueError(
            f"`time_zone` must have a constant UTC offset. Received: time_zone={time_zone!r}, "
            f"which changes between {min(offsets)} and {max(offsets)}; 'UTC' and 'Etc/GMT-8' are constant"
        )
    return int(offsets.pop() / datetime.timedelta(milliseconds=1))


def _encode(inputs: Mapping[str, Tensor], features: Sequence[Feature], time_zone: str, group: str) -> dict[str, Tensor]:
    outputs: dict[str, Tensor] = {}
    for feature in features:
        raw = _input(inputs, feature.name)
        if raw.dtype != (tf.float32 if feature.dtype == "float" else tf.as_dtype(feature.dtype)):
            raise ValueError(
                f"The {group} feature `{feature.name}` is declared as {feature.dtype}. "
                f"Received: {raw.dtype.name} in the examples"
            )
        value = _dense(raw, missing_value(feature))
        if isinstance(feature, Categorical):
            outputs[feature.name] = _vocabulary_id(value, feature)
        elif isinstance(feature, Hashed):
            outputs[feature.name] = _hash_bucket(value, feature)
        elif isinstance(feature, Numeric):
            outputs[feature.name] = _bucket(value, feature)
        else:
            outputs |= _weekday_and_hour(value, feature, utc_offset_ms(time_zone))
    return outputs


def _vocabulary_id(value: tf.Tensor, feature: Categorical) -> tf.Tensor:
    # The empty string is in no vocabulary: Transform leaves it out.
    return tft.compute_and_apply_vocabulary(
        _text(value),
        top_k=feature.max_vocabulary,
        frequency_threshold=feature.min_count if feature.min_count > 1 else None,
        num_oov_buckets=1,
        vocab_filename=feature.name,
    )


def _hash_bucket(value: tf.Tensor, feature: Hashed) -> tf.Tensor:
    text = _text(value)
    bucket = tf.strings.to_hash_bucket_fast(text, feature.num_buckets)  # the fingerprint is the same on any machine
    return tf.where(text == "", tf.constant(feature.num_buckets, tf.int64), bucket)


def _text(value: tf.Tensor) -> tf.Tensor:
    """An id as text; `""` is missing."""
    if value.dtype == tf.string:
        return value
    return tf.where(value == MISSING_INT64, "", tf.strings.as_string(value))


def _bucket(value: tf.Tensor, feature: Numeric) -> tf.Tensor:
    return tft.bucketize(tf.cast(value, tf.float32), feature.num_buckets)


def _weekday_and_hour(time_ms: tf.Tensor, feature: Timestamp, offset_ms: int) -> dict[str, tf.Tensor]:
    local_ms = time_ms + offset_ms
    weekday = tf.math.floormod(tf.math.floordiv(local_ms, _DAY_MS) + _EPOCH_WEEKDAY, 7)
    hour = tf.math.floordiv(tf.math.floormod(local_ms, _DAY_MS), _HOUR_MS)
    return dict(zip(feature.encoded_names, (weekday, hour), strict=True))


def _input(inputs: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in inputs:
        raise ValueError(f"The feature `{name}` must be in the examples. Received: {sorted(inputs)}")
    return inputs[name]


def _dense(value: Tensor, default: str | int | float) -> tf.Tensor:
    """A scalar feature as dense `[B]`, whether the schema gives it a shape or not."""
    if isinstance(value, tf.SparseTensor):
        shape = tf.stack([value.dense_shape[0], tf.maximum(value.dense_shape[1], 1)])
        value = tf.sparse.to_dense(tf.sparse.reset_shape(value, shape), default_value=default)[:, 0]
    return tf.reshape(value, [-1])
