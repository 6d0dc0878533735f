"""Names for versions: `stable`, `canary`."""

import threading
from collections.abc import Iterable

from serving.server.errors import failed_precondition, invalid_argument
from serving.server.models.model_config import ModelConfig
from serving.server.models.version_table import VersionTable


class VersionLabels:
    """The labels that the configuration gives to versions.

    Args:
      table: says which versions are available.
      allow_unavailable: whether a label that is not in use may be given to a version that is not available yet.
    """

    def __init__(self, table: VersionTable, *, allow_unavailable: bool = False):
        self._table = table
        self._allow_unavailable = allow_unavailable
        self._labels: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    @property
    def versions(self) -> set[int]:
        """The available versions that a label of their model stands for."""
        return {
            version
            for model, labels in self._labels.items()
            for version in set(labels.values()).intersection(self._table.available(model))
        }

    def version(self, model: str, label: str) -> int:
        """Returns the version that a label stands for.

        Raises:
          ServingError: INVALID_ARGUMENT if it is no label of the model.
        """
        labels = self._labels.get(model, {})
        if label not in labels:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        return labels[label]

    def assign(self, models: Iterable[ModelConfig]) -> None:
        """Takes over the labels of a configuration, all or none.

        Raises:
          ServingError: FAILED_PRECONDITION for a version that is not available.
        """
        with self._lock:
            labels = {model.name: dict(model.version_labels) for model in models}
            for model, versions in labels.items():
                for label, version in versions.items():
                    if not self._may_assign(model, label, version):
                        raise failed_precondition(
                            f"Request to assign label to version {version} of model {model}, "
                            "which is not currently available for inference"
                        )
            self._labels = labels

    def _may_assign(self, model: str, label: str, version: int) -> bool:
        if version in self._table.available(model):
            return True
        return self._allow_unavailable and self._labels.get(model, {}).get(label, version) == version
