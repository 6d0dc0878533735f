"""`lcron serve`."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import click

from pipeline.cli.options import ReleaseBase, log_to_stderr, one_line_errors, quiet_libraries

STOCK = "tensorflow_model_server"


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  lcron serve --base runs/demo/serving
  lcron serve --base gs://bucket/serving --file_system_poll_wait_seconds=30
  lcron serve --base runs/demo/serving --host 0.0.0.0 --port 8500 --rest_api_port=8501 --enable_batching
  lcron serve --model_config_file=models.config --port=8500 --rest_api_port=8501
  lcron serve --base runs/demo/serving --server tensorflow_model_server=/usr/bin/tensorflow_model_server

All flags of tensorflow_model_server are taken; docs/serving.md lists them.
""",
)
@click.option(
    "--base",
    type=ReleaseBase(),
    help="Folder that releases are pushed to, or a path such as gs://bucket/serving.",
)
@click.option("--host", help=f"Address to listen on; {STOCK} listens on all.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="gRPC port; 0 = any free.")
@click.option(
    "--server",
    metavar=f"embedded|{STOCK}[=PATH]",
    help=f"Which server to use.  [default: {STOCK} if it is on PATH, else embedded]",
)
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
def serve(base: str | None, host: str | None, port: int, server: str | None, flags: tuple[str, ...]) -> None:
    """Serves the newest release, as TF Serving does, and follows new ones; or any models, with TF Serving's flags.

    Ends on SIGTERM or Ctrl-C after the calls in flight.
    """
    binary = _stock_server(server)
    if binary is not None:
        if host is not None:
            raise click.UsageError(f"--host: {STOCK} listens on all addresses. Received: --host={host} for {binary}")
        click.echo(f"{binary} listens on all addresses, port {port}; --server embedded takes a --host", err=True)
        _become([binary, f"--port={port}", *_models(base), *flags])
    host = host or "127.0.0.1"
    if base is None and not flags:
        raise click.UsageError("give --base, or TF Serving's --model_base_path or --model_config_file")
    if base is None:
        from serving.server.__main__ import main

        sys.exit(main([f"--host={host}", f"--port={port}", *flags], program="lcron serve"))
    quiet_libraries()
    log_to_stderr("serving")
    from serving.server.program.release_server import ServeError, serve_release_base

    with one_line_errors(ServeError):
        serve_release_base(base, host=host, port=port, flags=flags, report=click.echo)


def _stock_server(server: str | None) -> str | None:
    """Returns the program of TF Serving, `None` for the embedded server."""
    name, _, path = (server or STOCK).partition("=")
    if name not in ("embedded", STOCK) or (name == "embedded" and path):
        raise click.UsageError(f"--server must be embedded or {STOCK}[=PATH]. Received: {server!r}")
    found = shutil.which(path or name) if name == STOCK else None
    if server is not None and name == STOCK and found is None:
        raise click.UsageError(f"--server: there is no program {path or name}")
    return found


def _models(base: str | None) -> list[str]:
    """Returns the flags that have TF Serving follow the releases of a folder."""
    if base is None:
        return []
    from serving.release.manifest import ReleaseError
    from serving.release.serving_config import NUM_VERSIONS_SERVED, serving_config
    from serving.release.store import ReleaseStore

    with one_line_errors(ReleaseError):
        store = ReleaseStore(base)
        pin = store.pin()
        versions = store.versions()[-NUM_VERSIONS_SERVED:] if pin is None else pin.versions
        manifests = [store.verify(version) for version in versions]  # TF Serving compares no checksums
    if not manifests:
        raise click.ClickException(f"There is no release in {base} yet")
    config = Path(tempfile.mkdtemp(prefix="lcron-serve-")) / "models.config"
    config.write_text(serving_config(manifests[-1].models, base, pin), encoding="utf-8")
    labels = [] if pin is None else ["--allow_version_labels_for_unavailable_models"]  # none is available yet
    return [f"--model_config_file={config}", *labels]


def _become(command: list[str]) -> None:
    sys.stdout.flush()
    os.execv(command[0], command)
