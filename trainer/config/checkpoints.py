"""How often a training run saves its state."""

import dataclasses

from trainer.config.checks import check_positive


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
    """When a training run saves its state and how much it keeps. It has no influence on what is learned.

    A checkpoint is due when either interval is over, and at the end of each epoch. Training waits for the copy of the
    weights in memory and never for the disk: while one checkpoint is being written, the next is put off.

    Args:
      interval_s: seconds between two checkpoints; `None` stands for no limit.
      interval_steps: steps between two checkpoints; `None` stands for no limit.
      num_kept: checkpoints on disk; with two, a damaged one costs one interval and not the run.
    """

    interval_s: float | None = 60.0
    interval_steps: int | None = None
    num_kept: int = 2

    def __post_init__(self) -> None:
        intervals = [name for name in ("interval_s", "interval_steps") if getattr(self, name) is not None]
        check_positive(self, "num_kept", *intervals)
