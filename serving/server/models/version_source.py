"""Which versions of which models should be served."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

import tensorflow as tf

from serving.server.models.model_config import ModelConfig
from serving.server.models.versions import aspired_versions, versions_on_disk

_LOGGER = logging.getLogger(__name__)

Aspired = Mapping[str, Mapping[int, str]]
"""Path by version number, by model."""


class VersionSource:
    """Looks for version folders under the base paths of models.

    Args:
      released_versions: returns the versions that may be served at the moment; `None` stands for all on disk.
    """

    def __init__(self, released_versions: Callable[[], Collection[int]] | None = None):
        self._released_versions = released_versions

    def look(self, models: Sequence[ModelConfig], before: Aspired) -> Aspired:
        """Returns the versions that should be served.

        All models are looked up before any is loaded, the last one first: with the models of a release listed in the
        order that they were pushed in, a version that is seen in the last model is there in all.

        Args:
          models: what to look for.
          before: what the last look returned: it stays for a model that cannot be seen now, and for all of them
            while there is no released version.
        """
        kept = {model.name: before[model.name] for model in models if model.name in before}
        released: Collection[int] | None = None
        if self._released_versions is not None:
            try:
                released = self._released_versions()
            except OSError as error:
                _LOGGER.warning("Cannot list the releases: %s", error)
                return kept
            if not released:
                _LOGGER.warning("Could not find any release")
                return kept
        aspired = dict(kept)
        for model in reversed(models):
            try:
                versions = versions_on_disk(model.base_path)
            except (OSError, tf.errors.OpError) as error:
                _LOGGER.warning("Cannot list base path %s of servable %s: %s", model.base_path, model.name, error)
                continue
            if versions is None:
                _LOGGER.warning("Could not find base path %s for servable %s", model.base_path, model.name)
                continue
            if released is not None:
                versions = {version: path for version, path in versions.items() if version in released}
            aspired[model.name] = aspired_versions(model.model_version_policy, versions)
        return aspired
