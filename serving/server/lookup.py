"""From a request's ModelSpec to the servable that answers it."""

from typing import Protocol

from tensorflow_serving.apis import model_pb2

from serving.server.errors import invalid_argument
from serving.server.manager import ModelManager
from serving.server.servable import Servable


class HasModelSpec(Protocol):
    """Any request that names a model."""

    model_spec: model_pb2.ModelSpec

    def HasField(self, field_name: str) -> bool: ...


def required_model_spec(request: HasModelSpec) -> model_pb2.ModelSpec:
    """Returns the request's ModelSpec.

    Raises:
      ServingError: INVALID_ARGUMENT if it has none.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return request.model_spec


def find_servable(manager: ModelManager, model_spec: model_pb2.ModelSpec) -> Servable:
    """Returns the version that `model_spec` asks for, the highest available one by default.

    Raises:
      ServingError: INVALID_ARGUMENT without a name or with a version label, NOT_FOUND if it is not available.
    """
    if not model_spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    if model_spec.WhichOneof("version_choice") == "version_label":
        raise invalid_argument(f"Unrecognized servable version label: {model_spec.version_label}")
    return manager.servable(model_spec.name, model_spec.version.value if model_spec.HasField("version") else None)
