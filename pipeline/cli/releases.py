"""`lcron releases`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import ReleaseBase, experiment_options, load_experiment, one_line_errors, quiet_libraries

if TYPE_CHECKING:
    from serving.release.store import ReleaseStore

_version_argument = click.argument("version", type=click.IntRange(min=1))


def _base_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--base",
        required=True,
        type=ReleaseBase(),
        help="Folder that releases are pushed to, or a path such as gs://bucket/serving.",
    )(command)


@click.group(
    epilog="""\b
Examples:
  lcron releases list     --base runs/demo/serving
  lcron releases show     --base runs/demo/serving 1767225600
  lcron releases verify   --base runs/demo/serving
  lcron releases rollback --base runs/demo/serving 1767225600
  lcron releases pin      --base runs/demo/serving 1767225600 --canary 1767312000
  lcron releases unpin    --base runs/demo/serving
  lcron releases verify   --base gs://bucket/serving
  lcron releases config   --base runs/demo/serving --mount /models > models.config
  lcron releases refresh-catalogue --base runs/demo/serving --config demo --data runs/demo/data
"""
)
def releases() -> None:
    """Lists and checks releases, and says which of them servers serve."""


@releases.command("list")
@_base_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per release instead.")
def list_releases(base: str, as_json: bool) -> None:
    """Lists the releases, newest first: where each comes from and how it is served, unless `verify` finds damage."""
    from pipeline.cli.release_tables import releases_table, summary
    from serving.release.manifest import ReleaseError

    with one_line_errors(ReleaseError):
        store = _store(base)
        found = [summary(store, version) for version in reversed(store.versions())]
    if as_json:
        for row in found:
            click.echo(json.dumps(row))
    else:
        click.echo(releases_table(found))


@releases.command()
@_version_argument
@_base_option
@click.option("--json", "as_json", is_flag=True, help="Print the manifest instead.")
def show(version: int, base: str, as_json: bool) -> None:
    """Shows what a release is made of and where it comes from."""
    from pipeline.cli.release_tables import release_text
    from serving.release.manifest import ReleaseError

    with one_line_errors(ReleaseError):
        store = _store(base)
        manifest = store.read(version)
        click.echo(manifest.to_json().rstrip() if as_json else release_text(store, manifest))


@releases.command()
@click.argument("versions", nargs=-1, type=click.IntRange(min=1))
@_base_option
def verify(versions: tuple[int, ...], base: str) -> None:
    """Compares every file with its checksum, of all releases if none is named; ends with 1 if one is damaged."""
    from serving.release.manifest import ReleaseError

    with one_line_errors():
        store = _store(base)
        versions = versions or tuple(store.versions())
    failures = []
    for version in versions:
        try:
            with one_line_errors(ReleaseError):
                manifest = store.verify(version)
        except click.ClickException as error:
            failures.append(error)
            continue
        num_files = sum(map(len, manifest.checksums.values()))
        click.echo(f"release {version}: {num_files} files in {len(manifest.checksums)} models are as they were pushed")
    for failure in failures[:-1]:
        click.echo(failure.format_message(), err=True)
    if failures:
        raise failures[-1]


@releases.command()
@_version_argument
@_base_option
def rollback(version: int, base: str) -> None:
    """Publishes the models of an earlier release again, as the newest release."""
    from serving.release.manifest import ReleaseError
    from serving.release.rollback import rollback as roll_back

    with one_line_errors(ReleaseError):
        manifest = roll_back(version, _store(base).base)
    if manifest.rollback_of == version:
        click.echo(f"release {manifest.version} has the models of release {version}")
    else:
        click.echo(f"release {manifest.version} is the newest and has the models of release {version} already")


@releases.command()
@_version_argument
@_base_option
@click.option("--canary", type=click.IntRange(min=1), help="A release to serve beside it, by the label `canary`.")
def pin(version: int, base: str, canary: int | None) -> None:
    """Has servers serve this release, whatever is pushed later, by the label `stable`.

    Pinned releases are kept. A request without a label or version gets the highest version served: the canary, if
    that is the newer one.
    """
    from serving.release.manifest import ReleaseError
    from serving.release.pin_release import pin_release

    with one_line_errors(ReleaseError):
        labels = pin_release(_store(base).base, version, canary=canary).labels
    click.echo(f"pinned: {', '.join(f'{label} is release {number}' for label, number in labels.items())}")


@releases.command()
@_base_option
def unpin(base: str) -> None:
    """Has servers follow the newest releases again."""
    from serving.release.manifest import ReleaseError
    from serving.release.pin_release import unpin_release

    with one_line_errors(ReleaseError):
        is_pinned = unpin_release(_store(base).base)
    click.echo("servers follow the newest releases" + ("" if is_pinned else "; nothing was pinned"))


@releases.command()
@_base_option
@click.option("--mount", help="The folder as the server sees it.  [default: --base]")
def config(base: str, mount: str | None) -> None:
    """Prints the --model_config_file with which TF Serving serves what is pinned, or else the two newest releases."""
    from serving.release.intact import IntactReleases
    from serving.release.manifest import ReleaseError
    from serving.release.serving_config import serving_config

    with one_line_errors(ReleaseError):
        store = _store(base)
        models = IntactReleases(store).newest().models
        click.echo(serving_config(models, mount or base, store.pin()), nl=False)


@releases.command("refresh-catalogue")
@click.argument("version", type=click.IntRange(min=1), required=False)
@_base_option
@experiment_options
@click.option(
    "--min-kept",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of the release's items that the new catalogue must have.",
)
def refresh_catalogue(
    version: int | None,
    base: str,
    config_name: str,
    smoke: bool,
    data: Path,
    overrides: tuple[str, ...],
    min_kept: float,
) -> None:
    """Publishes a release, the newest if none is named, with the items that the data has now, without training.

    The weights stay. New items are placed by their features, and items that the data lacks are no longer recommended.
    """
    experiment = load_experiment(config_name, smoke, overrides)
    quiet_libraries()
    from pipeline.cli.logged_requests import open_adapter
    from pipeline.refresh_catalogue import refresh_catalogue as refresh
    from serving.release.manifest import ReleaseError
    from sources.reading import DataError
    from trainer.release.refresh.refresh_models import RefreshError

    with one_line_errors(ReleaseError, RefreshError, DataError):
        store = _store(base)
        manifest, refreshed = refresh(store, version or store.versions()[-1], open_adapter(experiment, data), min_kept)
    items = f"{refreshed.num_kept + refreshed.num_new:,} items: {refreshed.num_new:,} new, {refreshed.num_gone:,} gone"
    if manifest.refresh_of is None:
        click.echo(f"release {manifest.version} is the newest and has these models already: {items}")
    else:
        click.echo(f"release {manifest.version} has the weights of release {manifest.refresh_of} and {items}")
    if store.pin() is not None:
        click.echo("a release is pinned: servers follow the pin until `lcron releases unpin`", err=True)


def _store(base: str) -> "ReleaseStore":
    """Returns the releases of a folder that has one."""
    from serving.release.store import ReleaseStore

    store = ReleaseStore(base)
    if not store.versions():
        raise click.ClickException(f"There is no release in {base} yet")
    return store
