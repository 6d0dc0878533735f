"""The manifest of a release."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import dacite

FORMAT = 1


class ReleaseError(Exception):
    """A release that cannot be read, pushed or trusted."""


class UnreadableError(ReleaseError):
    """A release that the disk or the network does not give out now; it may be whole."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage of the cascade.

    Args:
      name: of the stage and its model.
      capacity: items it passes on.
    """

    name: str
    capacity: int


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a release is made of and where it comes from.

    Args:
      version: number of the release, shared by all its models.
      stages: the cascade in funnel order.
      checksums: SHA-256 of each file, by model and by path inside the model's folder.
      created_time: of the push, ISO 8601 in UTC.
      metrics: evaluation results by name.
      schema: the features that the models read: the experiment's feature declaration as a JSON object.
      data_span: first and last day of the training data, ISO 8601.
      git_commit: of the code that trained it.
      lock_hash: SHA-256 of the lock file of the packages that trained it.
      rollback_of: the earlier release whose models these are.
      refresh_of: the earlier release whose weights these are, with the items of another catalogue; nobody evaluated it.
      index: how retrieval searches the catalogue: its `kind` and `recall@<k>`, the share of the exact answer that it
        finds.
      format: of the file; other versions of this project may write another.
    """

    version: int
    stages: tuple[Stage, ...]
    checksums: dict[str, dict[str, str]]
    created_time: str
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    schema: dict[str, Any] | None = None
    data_span: tuple[str, str] | None = None
    git_commit: str | None = None
    lock_hash: str | None = None
    rollback_of: int | None = None
    refresh_of: int | None = None
    index: dict[str, Any] | None = None
    format: int = FORMAT

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if self.version < 1:
            raise ReleaseError(f"`version` must be positive. Received: version={self.version}")
        if not names or len(set(names)) != len(names):
            raise ReleaseError(f"`stages` must be at least one, with distinct names. Received: {names}")
        for stage in self.stages:
            if stage.capacity < 1:
                raise ReleaseError(f"`capacity` of stage {stage.name!r} must be positive. Received: {stage.capacity}")
        missing = [name for name in names if name not in self.checksums]
        if missing:
            raise ReleaseError(f"`checksums` must hold every stage. Missing: {missing}")

    @property
    def models(self) -> tuple[str, ...]:
        """The models in the order they are pushed and loaded: the last stage first, retrieval at the end.

        Models that are no stage, such as the one-call cascade, come right before retrieval.
        """
        first, *later = [stage.name for stage in self.stages]
        others = sorted(set(self.checksums).difference(later, [first]))
        return (*reversed(later), *others, first)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the content of all models: equal for equal models, whatever their version."""
        return hashlib.sha256(json.dumps(self.checksums, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """Returns the manifest as a JSON object, its fingerprint included."""
        return json.dumps(dataclasses.asdict(self) | {"fingerprint": self.fingerprint}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str) -> "Manifest":
        """Reads a manifest.

        Args:
          text: the JSON object.
          origin: where it comes from, for the error.

        Raises:
          ReleaseError: it is no JSON object, lacks a field, has one too many, or holds a wrong type or value.
        """
        try:
            fields: Mapping[str, Any] = json.loads(text)
            if not isinstance(fields, dict):
                raise ReleaseError(f"a JSON object is expected. Received: {type(fields).__name__}")
            if fields.get("format", FORMAT) != FORMAT:
                raise ReleaseError(
                    f"`format` must be {FORMAT}. Received: {fields['format']!r}. Read it with the lcron that wrote it"
                )
            fingerprint = fields.pop("fingerprint", None)
            manifest = dacite.from_dict(cls, fields, dacite.Config(strict=True, cast=[tuple]))
            if fingerprint != manifest.fingerprint:
                raise ReleaseError(f"`fingerprint` must be {manifest.fingerprint}. Received: {fingerprint}")
        except (ValueError, TypeError, dacite.DaciteError, ReleaseError) as error:
            raise ReleaseError(f"{origin} is no release manifest: {error}") from None
        return manifest
