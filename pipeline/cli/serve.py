"""`lcron serve`."""

from pathlib import Path

import click

from pipeline.cli.options import one_line_errors, quiet_libraries


@click.command(
    epilog="""\b
Examples:
  lcron serve --base runs/demo/serving
  lcron serve --base runs/demo/serving --host 0.0.0.0 --port 8500
"""
)
@click.option(
    "--base",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that releases are pushed to.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="gRPC port; 0 = any free.")
def serve(base: Path, host: str, port: int) -> None:
    """Serves the newest release over gRPC, as TF Serving does, and follows new ones.

    Ends on SIGTERM or Ctrl-C after the calls in flight.
    """
    quiet_libraries()
    from serving.server.release_server import ServeError, serve_release_base

    with one_line_errors(ServeError):
        serve_release_base(base, host=host, port=port, report=click.echo)
