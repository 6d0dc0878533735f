"""`lcron recommend`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import ReleaseBase, experiment_options, load_experiment, one_line_errors, quiet_libraries

if TYPE_CHECKING:
    from serving.release.manifest import Stage

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog="""\b
Examples:
  lcron recommend --config demo --data runs/demo/data --target 127.0.0.1:8500 --user 17
  lcron recommend --config demo --data runs/demo/data --base runs/demo/serving -k 20 --exclude 12 --exclude 40
"""
)
@experiment_options
@click.option("--user", help="User to recommend for.  [default: the first user of the last logged day]")
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True, help="Number of items.")
@click.option("--exclude", multiple=True, metavar="ITEM", help="Item that must not be recommended; may be repeated.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="FEATURE=VALUE",
    help="Value that an item must have, where the release filters by the feature. May be repeated: either will do.",
)
@click.option("--target", metavar="HOST:PORT", help="Address of a running model server.")
@click.option(
    "--base",
    type=ReleaseBase(),
    help="Folder of releases, or a path such as gs://bucket/serving: start a server over it for this one question.",
)
@click.option("--label", help="Version label of the release to ask, such as canary.  [default: the highest version]")
@click.option("--one-call", is_flag=True, help="Ask the one-call cascade model instead of stage after stage.")
@click.option(
    "--deadline-s",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds that all calls may take together.",
)
@click.option("--tls", is_flag=True, help="Talk TLS, with the system's authorities unless --ca-file is given.")
@click.option("--ca-file", type=_FILE, help="PEM certificates of the authorities that vouch for the server.")
@click.option("--cert-file", type=_FILE, help="PEM certificate of the client, for a server that asks for one.")
@click.option("--key-file", type=_FILE, help="PEM private key of the client.")
@click.option("--server-name", help="Name in the server's certificate, where it is not the one in --target.")
def recommend(
    config_name: str,
    smoke: bool,
    data: Path,
    overrides: tuple[str, ...],
    user: str | None,
    k: int,
    exclude: tuple[str, ...],
    filters: tuple[str, ...],
    target: str | None,
    base: str | None,
    label: str | None,
    one_call: bool,
    deadline_s: float,
    tls: bool,
    ca_file: Path | None,
    cert_file: Path | None,
    key_file: Path | None,
    server_name: str | None,
) -> None:
    """Asks a served release over gRPC what to recommend to a user, with the user's newest logged request."""
    if (target is None) == (base is None):
        raise click.UsageError("give either --target or --base")
    if label is not None and target is None:
        raise click.UsageError("--label is for a --target: the server over --base answers with the newest release")
    tls_options = {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file, "server_name": server_name}
    tls = tls or any(tls_options.values())
    if tls and target is None:
        raise click.UsageError("TLS is for a --target: the server over --base talks plain text on this machine")
    wanted: dict[str, list[str]] = {}
    for each in filters:
        feature, separator, value = each.partition("=")
        if not (feature and separator and value):
            raise click.UsageError(f"--filter expects FEATURE=VALUE. Received: {each!r}")
        wanted.setdefault(feature, []).append(value)
    experiment = load_experiment(config_name, smoke, overrides)
    quiet_libraries()

    from pipeline.cli.logged_requests import as_request, latest_request, open_adapter
    from pipeline.cli.tables import recommendations_table
    from serving.client import ClientConfig, RecommenderClient, TlsConfig
    from serving.client.errors import RecommendError
    from serving.release.manifest import ReleaseError, Stage
    from serving.server.program.server import ServeError

    with one_line_errors(RecommendError, ReleaseError, ServeError):
        record = latest_request(open_adapter(experiment, data), user)
        request = as_request(record, experiment.features, k, exclude, wanted)
        configured = tuple(Stage(stage.name, stage.capacity) for stage in experiment.trainer.stages)
        with _server(target, base, configured) as (address, stages):
            config = ClientConfig(
                stages,
                one_call=one_call,
                label=label,
                deadline_s=deadline_s,
                tls=TlsConfig(**tls_options) if tls else None,  # type: ignore[arg-type]
            )
            with RecommenderClient(address, config) as client:
                (answer,) = client.recommend_batch([request])
    history = len(record.get("history_item_id", ()))
    asked = "the cascade model" if one_call else " then ".join(stage.name for stage in stages)
    click.echo(
        f"user {record['user_id'][0]}, {history} items in the history; {asked} of release {answer.release} "
        f"over gRPC at {address}"
    )
    if answer.fallback:
        click.echo("A later stage did not answer in time: this is the order of the stage before it.", err=True)
    click.echo(recommendations_table(answer.item_ids, answer.scores))


@contextlib.contextmanager
def _server(
    target: str | None, base: str | None, configured: "tuple[Stage, ...]"
) -> "Iterator[tuple[str, tuple[Stage, ...]]]":
    """Yields the address to ask and the stages there: those given, or those of a server over `base`."""
    if target is not None or base is None:
        yield target or "", configured
        return
    from serving.release.store import ReleaseStore
    from serving.server.program.release_server import release_server
    from serving.signatures import RETRIEVAL

    with release_server(base, port=0) as server:  # which has compared the release with its checksums
        yield server.target, ReleaseStore(base).read(server.available_versions(RETRIEVAL)[0]).stages
