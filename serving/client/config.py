"""What a client is told once."""

import dataclasses
import math

from serving.client.retry import RetryPolicy
from serving.client.tls import TlsConfig
from serving.release.manifest import Stage


@dataclasses.dataclass(frozen=True)
class ClientConfig:
    """Settings of a client.

    Args:
      stages: the cascade in funnel order, as the manifest of the release has it.
      one_call: ask the `cascade` model once instead of stage after stage.
      label: version label of the release to ask, such as `canary`; `None` asks the highest version.
      deadline_s: seconds that a request may take, all its calls included, unless it says otherwise.
      hop_share: the share of what is left that every stage but the last may take, so that the later ones have time.
      fallback: answer with the order of the stage before, and say so, when a later stage misses its deadline.
      retry: of calls that found no server.
      tls: `None` talks plain text.
    """

    stages: tuple[Stage, ...]
    one_call: bool = False
    label: str | None = None
    deadline_s: float = 5.0
    hop_share: float = 0.7
    fallback: bool = True
    retry: RetryPolicy = dataclasses.field(default_factory=RetryPolicy)
    tls: TlsConfig | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        if not self.stages:
            raise ValueError("`stages` must hold at least one stage. Received: none")
        if not all(isinstance(stage, Stage) for stage in self.stages):
            raise ValueError(f"`stages` must hold a `Stage` each, as a manifest does. Received: {list(self.stages)}")
        if not 0 < self.deadline_s < math.inf:
            raise ValueError(f"`deadline_s` must be positive. Received: deadline_s={self.deadline_s}")
        if not 0 < self.hop_share <= 1:
            raise ValueError(f"`hop_share` must be above 0 and at most 1. Received: hop_share={self.hop_share}")
