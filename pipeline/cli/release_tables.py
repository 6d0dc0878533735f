"""Releases as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from serving.release.manifest import Manifest, ReleaseError
from serving.release.serving_config import NUM_VERSIONS_SERVED
from serving.release.store import ReleaseStore

_SHORT = 10  # digits of a hash


def summary(store: ReleaseStore, version: int) -> dict[str, Any]:
    """Returns a release in a few fields: `error` says what is wrong with a manifest that cannot be read.

    Raises:
      ReleaseError: the pin is damaged.
    """
    row: dict[str, Any] = {"version": version, "served": _served(store, version)}
    try:
        manifest = store.read(version)
    except ReleaseError as error:
        return row | {"error": str(error)}
    return row | {
        "created_time": manifest.created_time,
        "data_span": manifest.data_span,
        "git_commit": manifest.git_commit,
        "rollback_of": manifest.rollback_of,
        "refresh_of": manifest.refresh_of,
        "num_bytes": _num_bytes(store, manifest),
    }


def releases_table(summaries: Sequence[Mapping[str, Any]]) -> str:
    """Returns a table of what `summary` returns, in the order given."""
    rows = [
        (
            row["version"],
            row["served"] or "-",
            row.get("created_time") or "-",
            _span(row.get("data_span")),
            (row.get("git_commit") or "-")[:_SHORT],
            _origin(row),
            _megabytes(row["num_bytes"]) if "num_bytes" in row else f"damaged: {row['error']}",
        )
        for row in summaries
    ]
    headers = ("release", "served", "created", "trained on", "commit", "made of", "size")
    return tabulate(rows, headers, tablefmt="simple", disable_numparse=True)


def release_text(store: ReleaseStore, manifest: Manifest) -> str:
    """Returns all that the manifest says, but for the single checksums.

    Raises:
      ReleaseError: the pin is damaged.
    """
    schema = manifest.schema or {}
    features = {group: _names(schema.get(group)) for group in ("request", "item", "history")}
    lines = {
        "release": manifest.version,
        "served": _served(store, manifest.version) or "-",
        "created": manifest.created_time,
        "rollback of": manifest.rollback_of or "-",
        **({} if manifest.refresh_of is None else {"new catalogue for": manifest.refresh_of}),
        "stages": " > ".join(f"{stage.name} {stage.capacity}" for stage in manifest.stages),
        "models": ", ".join(manifest.models),
        "files": f"{sum(map(len, manifest.checksums.values()))} in {_megabytes(_num_bytes(store, manifest))}",
        "trained on": _span(manifest.data_span),
        "git commit": manifest.git_commit or "-",
        "lock hash": manifest.lock_hash or "-",
        "fingerprint": manifest.fingerprint,
        **({} if manifest.index is None else {"index": _index(manifest.index)}),
        **{f"{group} features": names for group, names in features.items() if names},
        **{name: f"{value:.4f}" for name, value in sorted(manifest.metrics.items())},
    }
    return tabulate(list(lines.items()), tablefmt="plain", disable_numparse=True)


def _origin(row: Mapping[str, Any]) -> str:
    kinds = {"rollback": row.get("rollback_of"), "refresh": row.get("refresh_of")}
    return ", ".join(f"{kind} of {version}" for kind, version in kinds.items() if version) or "-"


def _served(store: ReleaseStore, version: int) -> str:
    """Returns the label of a pinned release, else `newest` and `previous`; empty for one that is not served."""
    pin = store.pin()
    if pin is not None:
        return next((label for label, pinned in pin.labels.items() if pinned == version), "")
    names = dict(zip(reversed(store.versions()[-NUM_VERSIONS_SERVED:]), ("newest", "previous"), strict=False))
    return names.get(version, "")


def _num_bytes(store: ReleaseStore, manifest: Manifest) -> int:
    paths = [
        store.model_path(model, manifest.version) / file
        for model, files in manifest.checksums.items()
        for file in files
    ]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _index(index: Mapping[str, Any]) -> str:
    recalls = ", ".join(f"{name} {value:.4f}" for name, value in index.items() if name != "kind")
    return f"{index.get('kind')}" + (f", {recalls} of the exact search" if recalls else "")


def _names(features: Any) -> str:
    is_list = isinstance(features, list) and all(isinstance(feature, dict) for feature in features)
    return ", ".join(str(feature.get("name", "?")) for feature in features) if is_list else ""


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB"


def _span(span: Sequence[str] | None) -> str:
    return " to ".join(span) if span else "-"
