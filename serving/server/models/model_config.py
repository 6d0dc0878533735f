"""Which models to serve: TF Serving's ModelServerConfig, checked."""

import os
import re
from collections.abc import Iterable
from typing import TypeAlias

from tensorflow_serving.config import file_system_storage_path_source_pb2, model_server_config_pb2

from serving.server.messages import TextMessageError, read_text_message

PLATFORM = "tensorflow"

ModelConfig: TypeAlias = model_server_config_pb2.ModelConfig
ModelServerConfig: TypeAlias = model_server_config_pb2.ModelServerConfig
VersionPolicy: TypeAlias = file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy


class ModelConfigError(ValueError):
    """A model server configuration that cannot be served."""


def model_config(name: str, base_path: str | os.PathLike[str], *, latest: int = 1) -> ModelConfig:
    """Returns the configuration of a model that serves its highest versions.

    Args:
      name: that clients ask for.
      base_path: folder with one numbered folder per version; a relative one is taken from the working directory.
      latest: how many of the highest versions to serve.
    """
    path = os.fspath(base_path)
    if not _is_uri(path):
        path = os.path.abspath(path)
    policy = VersionPolicy(latest=VersionPolicy.Latest(num_versions=latest))
    return ModelConfig(name=name, base_path=path, model_platform=PLATFORM, model_version_policy=policy)


def read_model_config_file(path: str | os.PathLike[str]) -> list[ModelConfig]:
    """Reads a text-format ModelServerConfig with a `model_config_list`.

    Raises:
      ModelConfigError: the file is missing, no ModelServerConfig, or lists a model that cannot be served.
    """
    try:
        config = read_text_message(path, ModelServerConfig)
    except TextMessageError as error:
        raise ModelConfigError(str(error)) from None
    if config.HasField("custom_model_config"):
        raise ModelConfigError(f"The ModelServerConfig {path} must hold a `model_config_list`.")
    models = list(config.model_config_list.config)
    check_model_configs(models)
    return models


def check_model_configs(models: Iterable[ModelConfig]) -> None:
    """Raises ModelConfigError for a model without a name, listed twice, on another platform or with a relative path."""
    names: set[str] = set()
    for model in models:
        if not model.name:
            raise ModelConfigError("A model of the config list has no name.")
        if model.name in names:
            raise ModelConfigError(f"Illegal to list model {model.name} multiple times in config list")
        names.add(model.name)
        if not _is_uri(model.base_path) and not os.path.isabs(model.base_path):
            raise ModelConfigError(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
        _check_platform(model)


def _check_platform(model: ModelConfig) -> None:
    platform = model.model_platform
    if model.model_type == model_server_config_pb2.TENSORFLOW and not platform:
        platform = PLATFORM  # the field that was there before `model_platform`
    if not platform:
        raise ModelConfigError(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    if platform != PLATFORM:
        raise ModelConfigError(f"Model {model.name} requests unsupported platform {platform}")


def _is_uri(path: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path) is not None
