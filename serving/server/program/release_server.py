"""Serves the releases of a base folder."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf import text_format

from serving.release.intact import IntactReleases
from serving.release.manifest import ReleaseError
from serving.release.serving_config import serving_config
from serving.release.store import ReleaseStore
from serving.server.messages import TextMessageError
from serving.server.models.model_config import ModelServerConfig
from serving.server.options import ServeError
from serving.server.program.config_watcher import ConfigWatcher
from serving.server.program.flags import parse_flags
from serving.server.program.run import set_parallelism
from serving.server.program.server import ModelServer
from serving.server.program.settings import Settings, read_settings
from serving.signatures import RETRIEVAL


def release_server(
    base: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8500,
    poll_interval_s: float = 1.0,
    start_timeout_s: float = 900.0,
    **options: Any,
) -> ModelServer:
    """Returns a server, not yet started, for the pinned releases, or else the two newest and those to come.

    A version is served once it has a manifest and every file matches its checksum, so no model ever answers with what
    is no release. The models are those of the newest release served: a later one that adds a stage needs a new server.
    Version labels are those of the pin at this moment; `label_watcher` follows them.

    Args:
      base: folder that releases are pushed to, or a path with a scheme, such as `gs://bucket/serving`.
      host: address to listen on.
      port: gRPC port; 0 takes a free one.
      poll_interval_s: seconds between two looks for new releases.
      start_timeout_s: how long a start waits for every model to serve a version.
      **options: further arguments of `ModelServer`.

    Raises:
      ServeError: the folder is missing, holds no release, or none that is intact.
    """
    store = ReleaseStore(base)
    releases = IntactReleases(store)
    try:
        if not store.base.is_dir():
            raise ServeError(f"There is no release folder {store.base}")
        models = releases.newest().models
        config = _config(store, models)
    except (ReleaseError, TextMessageError, OSError) as error:
        raise ServeError(str(error)) from None

    def versions() -> list[int]:
        released = releases.versions()
        # What a label stands for stays until the label has moved to what is loaded.
        return released and sorted({*released, *server.labelled_versions})

    server = ModelServer(
        config.model_config_list.config,
        host=host,
        port=port,
        poll_interval_s=poll_interval_s,
        start_timeout_s=start_timeout_s,
        released_versions=versions,
        # A label waits for its version, which is loaded after the start.
        **(options | {"allow_version_labels_for_unavailable_models": True}),
    )
    return server


def label_watcher(server: ModelServer, base: str | os.PathLike[str], poll_interval_s: float = 1.0) -> ConfigWatcher:
    """Returns what keeps the version labels of a `release_server` those of the pin; not yet started.

    Args:
      server: the release server.
      base: folder of its releases.
      poll_interval_s: seconds between two looks at the pin.
    """
    store = ReleaseStore(base)
    return ConfigWatcher(
        str(store.pin_path), lambda: _config(store, server.model_names), poll_interval_s, server.reloader
    )


def _config(store: ReleaseStore, models: Sequence[str]) -> ModelServerConfig:
    """Returns the configuration with the labels of the pin. Which versions are served `IntactReleases` says."""
    config = text_format.Parse(serving_config(models, store.base), ModelServerConfig())
    try:
        pin = store.pin()
    except ReleaseError as error:
        raise TextMessageError(str(error)) from None
    if pin is not None:
        for model in config.model_config_list.config:
            model.version_labels.update(pin.labels)
    return config


def serve_release_base(
    base: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8500,
    flags: Sequence[str] = (),
    start_timeout_s: float = 900.0,
    report: Callable[[str], None] = print,
) -> None:
    """Serves the newest releases until SIGTERM or SIGINT, and lets the calls in flight finish.

    Args:
      base: folder that releases are pushed to.
      host: address to listen on.
      port: gRPC port; 0 takes a free one.
      flags: further flags of TF Serving's.
      start_timeout_s: how long to wait for every model to serve a version.
      report: takes one line when the server answers and one when it has stopped.

    Raises:
      ServeError: there is nothing to serve, it cannot be loaded in time, or the port is in use.
    """
    settings = _settings([f"--host={host}", f"--port={port}", *flags])
    set_parallelism(settings)
    server = release_server(base, host=host, port=port, start_timeout_s=start_timeout_s, **settings.server_options())
    watcher = label_watcher(server, base, settings.flags.file_system_poll_wait_seconds)

    def report_start() -> None:
        watcher.start()
        report(f"Serving release {server.available_versions(RETRIEVAL)[0]} of {os.fspath(base)} on {server.target}")
        if server.rest_port is not None:
            report(f"REST on {host}:{server.rest_port}")

    try:
        server.run(report_start)
    finally:
        watcher.stop()
    report("Stopped")


def _settings(flags: Sequence[str]) -> Settings:
    # A release that cannot be loaded now is broken: the flags' own default would try it for five minutes.
    words = ["--max_num_load_retries=0", *flags]
    try:
        return read_settings(parse_flags(words, program="lcron serve", needs_models=False))
    except TextMessageError as error:
        raise ServeError(str(error)) from None
