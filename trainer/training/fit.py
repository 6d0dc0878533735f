"""The loop of a training run, which can stop at any step and go on from there."""

import time
from collections.abc import Callable, Sequence

import tensorflow as tf

from trainer.data.batches import RequestBatches
from trainer.model.cascade_model import CascadeModel
from trainer.release.training_record import EpochRecord
from trainer.reporting import VALIDATION, WAITING_S, WAITING_SHARE
from trainer.training.best_epoch import BestEpoch
from trainer.training.checkpoints.checkpointer import Checkpointer
from trainer.training.checkpoints.run_state import RunState
from trainer.training.checkpoints.store import CheckpointStore
from trainer.training.finite_loss import FiniteLoss
from trainer.training.replicas.steps import Steps
from trainer.training.replicas.workers import Workers


def fit(
    model: CascadeModel,
    train_batches: RequestBatches,
    eval_batches: RequestBatches,
    *,
    best: BestEpoch,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
    store: CheckpointStore | None = None,
    steps: Steps | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> RunState:
    """Trains a compiled model for as many epochs as it is configured for, or until `best` is over.

    Args:
      model: the cascade, built and compiled.
      train_batches: the training split.
      eval_batches: the evaluation split, seen after each epoch.
      best: keeps the best epoch's weights.
      callbacks: get as the logs of a step what `model.train_step` returns, tensors, and the seconds for which the
        epoch's steps waited for their batches; as the logs of an epoch floats, the share of its time that its steps
        waited among them. Their `params` are `steps` (of an epoch), `epochs`, `train_batches` and `eval_batches`.
      store: the run's checkpoints. The run goes on from the newest; `None` neither reads nor writes any. Of several
        workers only the chief's is used.
      steps: of the model, on batches of this form, compiled by an earlier call; `None` compiles them.
      report: gets a line about where the run goes on, and about damaged checkpoints.

    Returns:
      Where the run stands at its end.

    Raises:
      DivergedError: the loss or its gradient became infinite or not a number.
      CheckpointError: a checkpoint could not be written or read.
    """
    with model.distribute_strategy.scope():
        model.prepare_training()
    workers = Workers(model.distribute_strategy)
    steps = steps or Steps(model, train_batches.element_spec)
    if not workers.agree(store is not None):
        return _Fit(model, steps, train_batches, eval_batches, best, callbacks, None).run(RunState())
    checkpointer = Checkpointer(store, model.config.checkpoints, model.training_variables, best, workers)
    try:
        state = checkpointer.restore(report)
        if state.epoch or state.step:
            place = f", from the checkpoint in {store.folder}" if store is not None else ""
            report(f"goes on at epoch {state.epoch + 1} step {state.step + 1}{place}")
        state = _Fit(model, steps, train_batches, eval_batches, best, callbacks, checkpointer).run(state)
        checkpointer.wait()
        return state
    finally:
        checkpointer.close()


class _Fit:
    def __init__(
        self,
        model: CascadeModel,
        steps: Steps,
        train_batches: RequestBatches,
        eval_batches: RequestBatches,
        best: BestEpoch,
        callbacks: Sequence[tf.keras.callbacks.Callback],
        checkpointer: Checkpointer | None,
    ) -> None:
        self._model = model
        self._step = steps
        self._train_batches = train_batches
        self._eval_batches = eval_batches
        self._eval_dataset = eval_batches.epoch()
        self._best = best
        self._finite = FiniteLoss()
        self._callbacks = [self._finite, best, *callbacks]
        self._checkpointer = checkpointer

    def run(self, state: RunState) -> RunState:
        params = {
            "steps": self._train_batches.num_steps,
            "epochs": self._model.config.epochs,
            "train_batches": self._train_batches,
            "eval_batches": self._eval_batches,
        }
        for callback in self._callbacks:
            callback.set_params(params)
            callback.set_model(self._model)
            callback.on_train_begin()
        try:
            while state.epoch < self._model.config.epochs and not self._best.is_over:
                state = self._epoch(state)
        finally:
            for callback in self._callbacks:
                callback.on_train_end()
        return state

    def _epoch(self, start: RunState) -> RunState:
        start_s = time.monotonic()
        if start.step == 0:
            self._model.reset_metrics()
        for callback in self._callbacks:
            callback.on_epoch_begin(start.epoch)
        waiting_s = self._steps(start, start_s)
        self._finite.check()
        training_s = time.monotonic()
        train = self._step.metrics()
        validation = self._step.evaluate(self._eval_dataset)
        training_s, elapsed_s = training_s - start_s, time.monotonic() - start_s
        record = EpochRecord(start.epoch + 1, start.epoch_s + elapsed_s, train, validation, waiting_s)
        state = RunState(start.epoch + 1, 0, (*start.epochs, record), start.elapsed_s + elapsed_s)
        logs = train | {f"{VALIDATION}{name}": value for name, value in validation.items()}
        logs[WAITING_SHARE] = waiting_s / training_s
        for callback in self._callbacks:
            callback.on_epoch_end(start.epoch, logs)
        if self._checkpointer is not None and (self._is_last(state) or self._checkpointer.is_idle()):
            self._checkpointer.save(state.epoch * self._train_batches.num_steps, state)
        return state

    def _steps(self, start: RunState, start_s: float) -> float:
        """Takes the steps of an epoch; returns for how many seconds they waited for their batches."""
        waiting_s = 0.0
        batches = iter(self._train_batches.epoch(start.epoch, start.step))
        for step in range(start.step, self._train_batches.num_steps):
            asked_s = time.monotonic()
            batch = next(batches)
            waiting_s += time.monotonic() - asked_s
            logs = {**self._step.train(batch), WAITING_S: waiting_s}
            for callback in self._callbacks:
                callback.on_train_batch_end(step, logs)
            step_of_run = start.epoch * self._train_batches.num_steps + step + 1
            if self._checkpointer is not None and self._checkpointer.is_due(step_of_run):
                self._finite.check()  # weights that are lost must not replace good ones
                elapsed_s = time.monotonic() - start_s
                state = RunState(
                    start.epoch, step + 1, start.epochs, start.elapsed_s + elapsed_s, start.epoch_s + elapsed_s
                )
                self._checkpointer.save(step_of_run, state)
        return waiting_s

    def _is_last(self, state: RunState) -> bool:
        return state.epoch == self._model.config.epochs or self._best.is_over
