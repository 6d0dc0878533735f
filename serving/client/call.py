"""Calls of a model server as values: what to ask and how to read the answer, without doing it.

A client's logic is a generator of them; one that blocks and one that awaits can carry it out alike.
"""

import dataclasses
from collections.abc import Callable, Generator, Mapping
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2, predict_pb2

from serving.tensor_proto import to_array, to_proto

T = TypeVar("T")

_SIGNATURE_DEF = "signature_def"


@dataclasses.dataclass(frozen=True)
class Call(Generic[T]):
    """One call of a model server.

    Args:
      request: the message, whose type says the method.
      read: what to make of the response.
      end_s: when to give up, on the monotonic clock.
    """

    request: Message
    read: Callable[[Any], T]
    end_s: float

    @property
    def model(self) -> str:
        """Name of the model that is asked."""
        return self.request.model_spec.name  # type: ignore[attr-defined]


@dataclasses.dataclass(frozen=True)
class Pause:
    """A wait between two calls."""

    duration_s: float


Steps: TypeAlias = Generator[Call[Any] | Pause, Any, T]
"""Yields what to do next, receives the result of a call or its `RecommendError`, and returns the outcome."""


class Prediction(NamedTuple):
    """Outputs by name, and the version that gave them."""

    outputs: dict[str, np.ndarray]
    version: int


class Metadata(NamedTuple):
    """Signatures by name, and the version that has them."""

    signatures: dict[str, meta_graph_pb2.SignatureDef]
    version: int


def predict(
    model: str, signature: str, inputs: Mapping[str, np.ndarray], *, version: int | str | None = None, end_s: float
) -> Call[Prediction]:
    """Runs a signature of a model.

    Args:
      model: its name.
      signature: its name.
      inputs: arrays by input name; strings are `bytes` in an object array.
      version: that must answer, by its number or its label; the highest by default.
      end_s: when to give up, on the monotonic clock.
    """
    request = predict_pb2.PredictRequest(model_spec=_model_spec(model, version))
    request.model_spec.signature_name = signature
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(to_proto(array, tf.as_dtype(array.dtype)))
    return Call(request, _read_prediction, end_s)


def signatures_of(model: str, *, version: int | str | None = None, end_s: float) -> Call[Metadata]:
    """Asks for the signatures of a model.

    Args:
      model: its name.
      version: that must answer, by its number or its label; the highest by default.
      end_s: when to give up, on the monotonic clock.
    """
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=_model_spec(model, version), metadata_field=[_SIGNATURE_DEF]
    )
    return Call(request, _read_signatures, end_s)


def available_versions(model: str, *, end_s: float) -> Call[set[int]]:
    """Asks for the versions of a model that answer now."""
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=_model_spec(model, None))
    return Call(request, _read_versions, end_s)


def _read_prediction(response: predict_pb2.PredictResponse) -> Prediction:
    outputs = {name: to_array(proto) for name, proto in response.outputs.items()}
    return Prediction(outputs, response.model_spec.version.value)


def _read_signatures(response: get_model_metadata_pb2.GetModelMetadataResponse) -> Metadata:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[_SIGNATURE_DEF].Unpack(signatures)
    return Metadata(dict(signatures.signature_def), response.model_spec.version.value)


def _read_versions(response: get_model_status_pb2.GetModelStatusResponse) -> set[int]:
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    return {status.version for status in response.model_version_status if status.state == available}


def _model_spec(model: str, version: int | str | None) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=model)
    if isinstance(version, str):
        spec.version_label = version
    elif version is not None:
        spec.version.value = version
    return spec
