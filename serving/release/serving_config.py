"""TF Serving's configuration for the releases of a base folder."""

import os
from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.release.pin import Pin
from serving.server.models.model_config import model_config

NUM_VERSIONS_SERVED = 2
"""A client that learnt of a release from retrieval must still find it in the later stages after the next push."""


def serving_config(models: Sequence[str], base: str | os.PathLike[str], pin: Pin | None = None) -> str:
    """Returns the model config file that serves the two newest releases, or those that are pinned.

    It is good for the embedded server and for `tensorflow_model_server --model_config_file` alike.

    Args:
      models: names in the order to load them, as `Manifest.models` gives them.
      base: folder of the releases as the server sees it, such as the mount point in its container.
      pin: releases to serve, under the version labels `stable` and `canary`; `None` serves the two newest ones.

    Returns:
      A ModelServerConfig in text format.
    """
    configs = [model_config(name, os.path.join(os.fspath(base), name), latest=NUM_VERSIONS_SERVED) for name in models]
    if pin is not None:
        for config in configs:
            config.model_version_policy.specific.versions.extend(pin.versions)
            config.version_labels.update(pin.labels)
    server_config = model_server_config_pb2.ModelServerConfig(
        model_config_list=model_server_config_pb2.ModelConfigList(config=configs)
    )
    return text_format.MessageToString(server_config)
