"""KerasTuner's search over training runs of the cascade."""

import dataclasses
import hashlib
import time
from pathlib import Path
from typing import Any

import tensorflow as tf
from keras_tuner import errors
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.json_text import to_json
from trainer.config.trainer import TrainerConfig
from trainer.data.training_data import TrainingData
from trainer.reporting import Report
from trainer.training.checkpoints.store import CheckpointStore
from trainer.training.finite_loss import DivergedError
from trainer.training.train_model import BEST_METRIC, train_model
from trainer.tuning.config import TuningConfig
from trainer.tuning.oracle import create_oracle
from trainer.tuning.trial_record import TrialRecord
from trainer.tuning.tuned_config import tuned_config, values_text


class CascadeTuner(BaseTuner):
    """Trains the cascade once per trial, on the same parsed examples.

    A trial that is over leaves its record in the folder, one that was interrupted its checkpoints. A search that is
    called again asks its oracle anew and finds the trials there: the oracle draws by the seed and by what it is told.

    Args:
      config: the configuration to tune.
      data: what the trials train and are judged on.
      tuning: the search.
      folder: of the trials' records and checkpoints, for this data and code only.
      report: gets lines about progress.
    """

    def __init__(
        self, config: TrainerConfig, data: TrainingData, tuning: TuningConfig, *, folder: Path, report: Report
    ) -> None:
        self.records: list[TrialRecord] = []
        self._config = dataclasses.replace(config, epochs=tuning.epochs or config.epochs)
        self._data = data
        self._num_trials = tuning.num_trials
        self._folder = folder
        self._report = report
        self._trained_s: list[float] = []
        # KerasTuner's own state is not read again: it is not written in one piece, and lacks what the records tell.
        super().__init__(
            create_oracle(tuning, config), directory=str(folder), project_name="keras_tuner", overwrite=True
        )
        self.oracle.verbose = 0

    @property
    def best(self) -> TrialRecord | None:
        """The record of the highest objective, of equal ones the first."""
        found = [record for record in self.records if record.objective is not None]
        return max(found, key=lambda record: record.objective or 0.0, default=None)

    def run_trial(self, trial: Trial, **fit_kwargs: Any) -> dict[str, float]:
        """Trains with a trial's values, or finds that this was done before.

        Returns:
          The best end-to-end recall on the evaluation days, by its name.

        Raises:
          FailedTrialError: the values do not fit each other, or with them training diverges or needs too much memory.
          FatalError: anything else went wrong, which is its cause.
        """
        values = dict(trial.hyperparameters.values)
        name = f"trial {len(self.records) + 1}/{self._num_trials}"
        self._report(f"{name}: {values_text(values)}")
        try:
            record, is_new = self._record(values)
        except Exception as error:  # else KerasTuner takes it for a failed trial
            raise errors.FatalError(str(error)) from error
        self.records.append(record)
        self._report(f"{name}: {self._outcome(record, is_new)}")
        if record.objective is None:
            raise errors.FailedTrialError(record.failure)
        return {BEST_METRIC: record.objective}

    def _record(self, values: dict[str, Any]) -> tuple[TrialRecord, bool]:
        """The record of a trial, and whether it was trained just now."""
        try:
            config = tuned_config(self._config, values)
        except ValueError as error:
            return TrialRecord(values, failure=str(error)), False
        identity = to_json(dataclasses.replace(config, checkpoints=CheckpointConfig()))
        folder = self._folder / f"trial_{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
        done = TrialRecord.read(folder / "trial.json")
        if done is not None:
            return done, False
        record = self._train(config, values, CheckpointStore(folder / "checkpoints", config.checkpoints.num_kept))
        record.write(folder / "trial.json")
        return record, True

    def _train(self, config: TrainerConfig, values: dict[str, Any], store: CheckpointStore) -> TrialRecord:
        tf.keras.backend.clear_session()  # lets go of the model of the trial before
        start_s = time.monotonic()
        try:
            trained = train_model(
                config, self._data, store=store, report=lambda text: self._report(f"  {text}".replace("\n", "\n  "))
            )
        except (DivergedError, tf.errors.ResourceExhaustedError) as error:
            record = TrialRecord(values, duration_s=time.monotonic() - start_s, failure=str(error).splitlines()[0])
        else:
            record = TrialRecord(values, trained.best_value, trained.best_epoch, time.monotonic() - start_s)
        store.clear()
        self._trained_s.append(record.duration_s)
        return record

    def _outcome(self, record: TrialRecord, is_new: bool) -> str:
        if record.objective is None:
            parts = [f"failed: {record.failure}"]
        else:
            parts = [f"{BEST_METRIC} {record.objective:.4f} at epoch {record.best_epoch}"]
        parts.append(f"{record.duration_s:.1f} s" if is_new else "as found before")
        if (best := self.best) is not None:
            parts.append(f"best {best.objective:.4f} of trial {self.records.index(best) + 1}")
        num_left = self._num_trials - len(self.records)
        if num_left and self._trained_s:
            parts.append(f"ETA {num_left * sum(self._trained_s) / len(self._trained_s):.0f} s")
        return ", ".join(parts)
