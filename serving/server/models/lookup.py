"""From a request's ModelSpec to the servable that answers it."""

from typing import Protocol

from tensorflow_serving.apis import model_pb2

from serving.server.calls.servable import Servable
from serving.server.errors import invalid_argument
from serving.server.models.labels import VersionLabels
from serving.server.models.version_table import VersionTable


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


class ServableLookup:
    """Finds the version that a ModelSpec asks for, by number, by label, or the highest available one.

    Args:
      versions: what is loaded.
      labels: what the versions are called.
    """

    def __init__(self, versions: VersionTable, labels: VersionLabels):
        self.versions = versions
        self._labels = labels

    def servable(self, model_spec: model_pb2.ModelSpec) -> Servable:
        """Returns the servable that `model_spec` asks for.

        Raises:
          ServingError: INVALID_ARGUMENT without a name or for an unknown label, NOT_FOUND if it is not available.
        """
        if not model_spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        return self.versions.servable(model_spec.name, self.version(model_spec))

    def version(self, model_spec: model_pb2.ModelSpec) -> int | None:
        """Returns the version that `model_spec` asks for, `None` if any will do.

        Raises:
          ServingError: INVALID_ARGUMENT for an unknown label.
        """
        if model_spec.WhichOneof("version_choice") == "version_label":
            return self._labels.version(model_spec.name, model_spec.version_label)
        return model_spec.version.value if model_spec.HasField("version") else None
