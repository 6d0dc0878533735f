"""Request examples from what a caller knows about a request."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2

from serving import signatures
from serving.client_errors import InvalidRequestError

REQUEST_TIME_MS = "request_time_ms"

_NOT_OF_THE_REQUEST = (signatures.K, signatures.EXCLUDE_ITEM_ID)


class RequestFeatures:
    """The features that a model takes of a request.

    Args:
      retrieve: the raw-tensor signature `retrieve`, which names and types them.
    """

    def __init__(self, retrieve: meta_graph_pb2.SignatureDef):
        infos = {name: info for name, info in retrieve.inputs.items() if name not in _NOT_OF_THE_REQUEST}
        self._dtypes = {name: tf.as_dtype(info.dtype) for name, info in infos.items()}
        self._lists = {name for name, info in infos.items() if len(info.tensor_shape.dim) > 1}

    def unknown(self, request: Mapping[str, Any]) -> list[str]:
        """Returns the names that the model does not take."""
        return sorted(set(request).difference(self._dtypes))

    def example(self, request: Mapping[str, Any]) -> tf.train.Example:
        """Returns the request as an example.

        What is left out stays out, and the model treats it as missing; only the time of the request is now.

        Args:
          request: a scalar or, for a history, a sequence by feature name.

        Raises:
          InvalidRequestError: a name that the model does not take, or a value of the wrong type.
        """
        unknown = self.unknown(request)
        if unknown:
            raise InvalidRequestError(f"The model takes no {unknown}. It takes: {sorted(self._dtypes)}")
        values = dict(request)
        if REQUEST_TIME_MS in self._dtypes:
            values.setdefault(REQUEST_TIME_MS, time.time_ns() // 1_000_000)
        return tf.train.Example(
            features=tf.train.Features(feature={name: self._feature(name, value) for name, value in values.items()})
        )

    def _feature(self, name: str, value: Any) -> tf.train.Feature:
        is_list = isinstance(value, Iterable) and not isinstance(value, (str, bytes))
        if is_list != (name in self._lists):
            expected = "a sequence" if name in self._lists else "one value"
            raise InvalidRequestError(f"`{name}` must be {expected}. Received: {value!r}")
        values = list(value) if is_list else [value]
        dtype = self._dtypes[name]
        try:
            if dtype == tf.string:
                return bytes_feature(values)
            if dtype == tf.float32:
                return tf.train.Feature(float_list=tf.train.FloatList(value=values))
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        except (TypeError, ValueError):
            raise InvalidRequestError(f"`{name}` must be of type {dtype.name}. Received: {value!r}") from None


def parse_example(serialized: bytes) -> tf.train.Example:
    """Returns a serialized request example.

    Raises:
      InvalidRequestError: the bytes are none.
    """
    try:
        return tf.train.Example.FromString(serialized)
    except DecodeError:
        raise InvalidRequestError(f"The request is no serialized tf.train.Example ({len(serialized)} bytes)") from None


def with_exclusions(example: tf.train.Example, exclude: Sequence[str]) -> tf.train.Example:
    """Adds items that must not be recommended to those that the example has."""
    feature = example.features.feature
    known = feature[signatures.EXCLUDE_ITEM_ID].bytes_list.value
    known.extend(item.encode() for item in exclude)
    if not known:
        del feature[signatures.EXCLUDE_ITEM_ID]
    return example


def with_candidates(example: tf.train.Example, item_ids: Sequence[bytes]) -> tf.train.Example:
    """Returns the example with these candidates, in place of any logged ones."""
    scored = tf.train.Example()
    for name, feature in example.features.feature.items():
        if not name.startswith("candidate_"):
            scored.features.feature[name].CopyFrom(feature)
    scored.features.feature[signatures.CANDIDATE_ITEM_ID].CopyFrom(bytes_feature(item_ids))
    return scored


def bytes_feature(values: Iterable[str | bytes]) -> tf.train.Feature:
    """Returns a bytes feature; text is encoded as UTF-8."""
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
