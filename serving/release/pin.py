"""Which releases servers are told to serve."""

import dataclasses
import json

import dacite

from serving.release.manifest import ReleaseError

STABLE, CANARY = "stable", "canary"
"""Version labels of a pinned release and of the one that is tried beside it."""


@dataclasses.dataclass(frozen=True)
class Pin:
    """Servers serve these releases, whatever is pushed, until the pin is taken away.

    Args:
      stable: version of the release that clients get by the label `stable`.
      canary: version of the release that clients get by the label `canary`; `None` serves the stable one alone.
    """

    stable: int
    canary: int | None = None

    def __post_init__(self) -> None:
        if self.canary == self.stable:
            raise ReleaseError(f"The canary must be another release than the stable one. Received: {self.canary} twice")

    @property
    def labels(self) -> dict[str, int]:
        """The version of each label."""
        return {STABLE: self.stable} | ({} if self.canary is None else {CANARY: self.canary})

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions to serve, oldest first."""
        return tuple(sorted(self.labels.values()))

    def to_json(self) -> str:
        """Returns the pin as a JSON object."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str) -> "Pin":
        """Reads a pin; `origin` says where it comes from, for the error.

        Raises:
          ReleaseError: it is no JSON object of a pin.
        """
        try:
            fields = json.loads(text)
            if not isinstance(fields, dict):
                raise ReleaseError(f"a JSON object is expected. Received: {type(fields).__name__}")
            return dacite.from_dict(cls, fields, dacite.Config(strict=True))
        except (ValueError, dacite.DaciteError, ReleaseError) as error:
            raise ReleaseError(f"{origin} is no pin: {error}") from None
