"""Where a training run stands."""

import dataclasses

from trainer.release.training_record import EpochRecord


@dataclasses.dataclass(frozen=True)
class RunState:
    """What a checkpoint holds beside the arrays of the variables.

    The order of the requests follows from the seed and the epoch, and every draw from the seed and the step, so the
    position is all that it takes to go on.

    Args:
      epoch: epochs that are over, their validation included.
      step: steps taken in the next one.
      epochs: what came of those that are over.
      elapsed_s: seconds of training so far, those of interrupted processes included.
      epoch_s: seconds of the epoch under way.
    """

    epoch: int = 0
    step: int = 0
    epochs: tuple[EpochRecord, ...] = ()
    elapsed_s: float = 0.0
    epoch_s: float = 0.0
