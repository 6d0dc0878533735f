"""Request examples of docs/reference.md from requests."""

import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from serving import signatures
from serving.client.errors import InvalidRequestError
from serving.client.request import Request

_HISTORY = "history_"
_ITEM_ID = "item_id"
_NOT_OF_THE_REQUEST = (
    signatures.K,
    signatures.EXCLUDE_ITEM_ID,
    signatures.USER_ID,
    signatures.NUM_PROBED_LEAVES,
)
_OF_EVERY_REQUEST = {signatures.REQUEST_TIME_MS: tf.int64, signatures.HISTORY_ITEM_ID: tf.string}


class RequestFeatures:
    """The features that a model takes of a request.

    Args:
      retrieve: the raw-tensor signature `retrieve` or `recommend`, which names and types them.
    """

    def __init__(self, retrieve: meta_graph_pb2.SignatureDef):
        self._filters = sorted(
            name.removeprefix(signatures.FILTER_PREFIX)
            for name in retrieve.inputs
            if name.startswith(signatures.FILTER_PREFIX)
        )
        self._has_leaves = signatures.NUM_PROBED_LEAVES in retrieve.inputs
        left_out = {*_NOT_OF_THE_REQUEST, *map(signatures.filter_input, self._filters)}
        infos = {name: info for name, info in retrieve.inputs.items() if name not in left_out}
        self._dtypes = _OF_EVERY_REQUEST | {name: tf.as_dtype(info.dtype) for name, info in infos.items()}
        lists = {name for name, info in infos.items() if len(info.tensor_shape.dim) > 1} | {signatures.HISTORY_ITEM_ID}
        self._context = sorted(set(self._dtypes) - lists)
        self._columns = sorted(name.removeprefix(_HISTORY) for name in lists)

    def unknown(self, request: Request) -> bool:
        """Returns whether the request has a name that the model does not take."""
        return not (
            set(self._context).issuperset(request.context)
            and set(self._columns).issuperset(_columns(request))
            and set(self._filters).issuperset(request.filters)
            and (self._has_leaves or not request.num_probed_leaves)
        )

    def example(self, request: Request) -> tf.train.Example:
        """Returns the request as an example, without what is asked of the search.

        What is left out stays out, and the model treats it as missing; only the time of the request is now.

        Raises:
          InvalidRequestError: a name that the model does not take, a value of the wrong type, NaN, or columns of the
            history that do not fit each other.
        """
        columns = _columns(request)
        for argument, names, known in (
            ("context", request.context, self._context),
            ("history", columns, self._columns),
            ("filters", request.filters, self._filters),
        ):
            unknown = sorted(set(names).difference(known), key=str)
            if unknown:
                raise InvalidRequestError(f"`{argument}`: the model takes no {unknown}. It takes: {known}")
        if request.num_probed_leaves and not self._has_leaves:
            raise InvalidRequestError(
                "`num_probed_leaves`: the release searches no leaves, its index is exact. "
                f"Received: num_probed_leaves={request.num_probed_leaves}"
            )
        feature = {name: self._scalar(name, value) for name, value in request.context.items()}
        feature |= self._history(columns)
        feature[signatures.REQUEST_ID] = bytes_feature("request_id", [request.request_id])
        if request.user is not None:
            feature[signatures.USER_ID] = bytes_feature("user", [request.user])
        if signatures.REQUEST_TIME_MS not in feature:
            now_ms = time.time_ns() // 1_000_000
            feature[signatures.REQUEST_TIME_MS] = tf.train.Feature(int64_list=tf.train.Int64List(value=[now_ms]))
        return tf.train.Example(features=tf.train.Features(feature=feature))

    def _scalar(self, name: str, value: Any) -> tf.train.Feature:
        if isinstance(value, Iterable) and not isinstance(value, str | bytes):
            raise InvalidRequestError(f"`{name}` must be one value. Received: {value!r}")
        return _feature(name, [value], self._dtypes[name])

    def _history(self, columns: dict[str, list[Any]]) -> dict[str, tf.train.Feature]:
        if not any(columns.values()):
            return {}
        missing = [name for name in self._columns if name not in columns]
        if missing:
            raise InvalidRequestError(f"`history` must have the columns {self._columns}. Missing: {missing}")
        size = len(columns[_ITEM_ID])
        for name in self._columns:
            if len(columns[name]) != size:
                raise InvalidRequestError(
                    f"`history`: `{name}` must have one value for each of {size} items. Received: {len(columns[name])}"
                )
        named = {_HISTORY + name: values for name, values in columns.items()}
        return {name: _feature(name, values, self._dtypes[name]) for name, values in named.items()}


def with_search(example: tf.train.Example, request: Request) -> tf.train.Example:
    """Returns the example with what is asked of the search: exclusions, each once, filters and probed leaves."""
    searching = tf.train.Example()
    searching.CopyFrom(example)
    feature = searching.features.feature
    if len(request.exclude):
        excluded = dict.fromkeys(_encoded("exclude", request.exclude))
        feature[signatures.EXCLUDE_ITEM_ID].bytes_list.value.extend(excluded)
    for name, values in request.filters.items():
        feature[signatures.filter_input(name)].CopyFrom(bytes_feature(f"filters[{name!r}]", values))
    if request.num_probed_leaves:
        feature[signatures.NUM_PROBED_LEAVES].int64_list.value.append(request.num_probed_leaves)
    return searching


def with_candidates(example: tf.train.Example, item_ids: Iterable[bytes]) -> tf.train.Example:
    """Returns the example with these candidates."""
    scored = tf.train.Example()
    scored.CopyFrom(example)
    scored.features.feature[signatures.CANDIDATE_ITEM_ID].bytes_list.value.extend(item_ids)
    return scored


def bytes_feature(name: str, values: Iterable[str]) -> tf.train.Feature:
    """Returns a feature of strings as UTF-8.

    Args:
      name: of the argument, for the error.
      values: the strings.

    Raises:
      InvalidRequestError: a value is no string, or is one that UTF-8 cannot write.
    """
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=_encoded(name, values)))


def _encoded(name: str, values: Iterable[Any]) -> list[bytes]:
    encoded = []
    for value in values:
        try:
            encoded.append(str.encode(value))
        except (TypeError, UnicodeEncodeError):
            raise InvalidRequestError(f"`{name}` must be text. Received: {value!r}") from None
    return encoded


def _columns(request: Request) -> dict[str, list[Any]]:
    history = request.history
    if isinstance(history, Mapping):
        return {name: list(values) for name, values in history.items()}
    return {_ITEM_ID: list(history)}


def _feature(name: str, values: list[Any], dtype: tf.DType) -> tf.train.Feature:
    if dtype == tf.string:
        return bytes_feature(name, values)
    try:
        if dtype == tf.float32:
            if any(math.isnan(value) for value in values):
                raise InvalidRequestError(f"`{name}` must be a number. Received: NaN")
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    except (TypeError, ValueError, OverflowError):
        shown = values[0] if len(values) == 1 else values
        raise InvalidRequestError(f"`{name}` must be of type {dtype.name}. Received: {shown!r}") from None
