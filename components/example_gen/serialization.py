"""From an adapter's record to a serialised `tf.train.Example`."""

import numbers

import tensorflow as tf

from sources.adapter import Record


def serialize_record(record: Record) -> bytes:
    """Serialises a record; a feature without values is left out.

    Args:
      record: feature name to a list of `str` (written as UTF-8), `int` or `float` values.

    Returns:
      The `tf.train.Example`, the same bytes for the same record.

    Raises:
      TypeError: a list holds another type, or types mixed.
    """
    features = {name: _to_feature(name, list(values)) for name, values in record.items() if len(values)}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def _to_feature(name: str, values: list) -> tf.train.Feature:
    try:
        if isinstance(values[0], str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))
        if isinstance(values[0], numbers.Integral):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        if isinstance(values[0], numbers.Real):
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    except (TypeError, AttributeError):
        pass
    raise TypeError(f"The values of `{name}` must be all `str`, all `int` or all `float`. Received: {values[:5]!r}")
