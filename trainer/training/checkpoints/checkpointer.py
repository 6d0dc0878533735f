"""Saves the state of a running training, beside the training."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.json_text import from_json, to_json
from trainer.training.best_epoch import BestEpoch
from trainer.training.checkpoints.run_state import RunState
from trainer.training.checkpoints.store import CheckpointStore
from trainer.training.replicas.workers import Workers

_VARIABLE, _BEST = "variable", "best"
_STEPS_BETWEEN_TALKS = 20


class Checkpointer:
    """Copies the variables of a run in memory and writes them to the disk in a thread of its own.

    Args:
      store: where the checkpoints are; the chief of several workers has it, the others `None`.
      config: when one is due.
      variables: everything that training changes: weights, optimisers, metrics.
      best: the weights of the best epoch so far, saved along.
      workers: of the run, which all have to call alike.
    """

    def __init__(
        self,
        store: CheckpointStore | None,
        config: CheckpointConfig,
        variables: Sequence[tf.Variable],
        best: BestEpoch,
        workers: Workers,
    ) -> None:
        self._store = store
        self._workers = workers
        self._config = config
        self._variables = list(variables)
        self._best = best
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None
        self._last_s = time.monotonic()
        self._last_step = 0

    def restore(self, report: Callable[[str], None]) -> RunState:
        """Gives the variables the values of the newest whole checkpoint.

        Args:
          report: gets a line about each that is damaged.

        Returns:
          Where the run stands; at its start if there is no checkpoint.

        Raises:
          ValueError: the checkpoint is of another model.
          CheckpointError: a checkpoint cannot be read now.
        """
        state, saved, best = RunState(), [], []
        if self._store is not None and (found := self._store.latest(report)) is not None:
            state, arrays = found
            saved, best = _numbered(arrays, _VARIABLE), _numbered(arrays, _BEST)
            if [array.shape for array in saved] != [tuple(variable.shape) for variable in self._variables]:
                raise ValueError(
                    f"The checkpoints in {self._store.folder} must be of this model. Received: other shapes"
                )
        if not self._workers.agree(bool(saved)):
            return state
        state = from_json(RunState, self._workers.tell_text(to_json(state)))
        for variable, array in zip(self._variables, self._workers.tell(saved), strict=True):
            variable.assign(array)
        self._best.restore_state(state.epochs, self._workers.tell(best))
        return state

    def is_idle(self) -> bool:
        """Whether nothing is being written, by the chief.

        Raises:
          CheckpointError: the last checkpoint could not be written.
        """
        return self._workers.agree(self._is_idle())

    def is_due(self, step: int) -> bool:
        """Whether it is time for a checkpoint and the one before is written.

        Several workers ask the chief, whose clock counts, every few steps.

        Args:
          step: of the whole run.

        Raises:
          CheckpointError: the one before could not be written.
        """
        steps, seconds = self._config.interval_steps, self._config.interval_s
        by_steps = steps is not None and step - self._last_step >= steps
        if self._workers.are_several and not by_steps and step % _STEPS_BETWEEN_TALKS:
            return False
        by_time = seconds is not None and time.monotonic() - self._last_s >= seconds
        return self._workers.agree(self._is_idle() and (by_steps or by_time))

    def _is_idle(self) -> bool:
        if self._writing is not None and not self._writing.done():
            return False
        self.wait()
        return True

    def save(self, step: int, state: RunState) -> None:
        """Copies the variables and starts to write them.

        Args:
          step: of the whole run.
          state: where the run stands.

        Raises:
          CheckpointError: the checkpoint before this one could not be written.
        """
        self.wait()
        arrays = {f"{_VARIABLE}_{index:05d}": variable.numpy() for index, variable in enumerate(self._variables)}
        arrays |= {f"{_BEST}_{index:05d}": array for index, array in enumerate(self._best.weights)}
        self._last_s, self._last_step = time.monotonic(), step
        if self._store is not None:
            self._writing = self._thread.submit(self._store.save, step, state, arrays)

    def wait(self) -> None:
        """Returns when nothing is being written.

        Raises:
          CheckpointError: the last checkpoint could not be written.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def close(self) -> None:
        """Waits and ends the thread; whether the last checkpoint could be written is not said."""
        self._thread.shutdown()


def _numbered(arrays: dict[str, np.ndarray], kind: str) -> list[np.ndarray]:
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{kind}_")]
