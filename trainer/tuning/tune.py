"""The search for hyper-parameters: from transformed examples to the trials' records."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from keras_tuner import errors

from trainer.config.overrides import override_text
from trainer.config.trainer import TrainerConfig
from trainer.data.features import FeatureSpec
from trainer.data.fingerprint import Fingerprint, input_parts
from trainer.data.input import Requests
from trainer.data.request_batch import CANDIDATE_ITEM
from trainer.data.training_data import TrainingData, read_training_data
from trainer.data.training_files import TrainingFiles
from trainer.reporting import Report
from trainer.training.train_model import BEST_METRIC
from trainer.tuning.cascade_tuner import CascadeTuner
from trainer.tuning.config import TuningConfig


class TuningError(RuntimeError):
    """A search without a trial that came to its end."""


def tune(
    config: TrainerConfig,
    features: FeatureSpec,
    tuning: TuningConfig,
    files: TrainingFiles,
    *,
    state_dir: str,
    packed_dir: str | None = None,
    source_hash: str = "",
    report: Report | None = None,
) -> CascadeTuner:
    """Trains the cascade with different values and finds those of the best end-to-end recall on the evaluation split.

    The trials start from random weights and share one reading of the data. A search that was killed goes on when it
    is called again: trials that are over are not trained again, and one that was under way goes on from its newest
    checkpoint. So does a search with more trials or another search space than before.

    Args:
      config: the configuration to tune; what is not tuned stays.
      features: the features of the data set.
      tuning: the search.
      files: what the trials read.
      state_dir: local folder of the state of searches, which each have a folder of their own in it.
      packed_dir: local folder of packed requests, as `train` takes it; the trainer finds them there.
      source_hash: of the code that runs; trials of other code are not used.
      report: gets lines about progress; `None` stays silent.

    Returns:
      The tuner, with the records of its trials and `get_best_hyperparameters()`.

    Raises:
      ValueError: the examples do not fit the features, or the configuration does not take the values.
      TuningError: all trials failed.
      CheckpointError: a checkpoint could not be written or read.
      PackedRequestsError: the packed requests could not be written.
    """
    report = report or (lambda line: None)
    tuning.check(config)
    data = read_training_data(features, files, packed_dir=packed_dir, report=report)
    fingerprint = Fingerprint(
        {
            "sample": f"{tuning.max_requests} by {tuning.seed}" if tuning.max_requests else "all requests",
            **input_parts(features, [*data.request_features, *data.item_table.features], files.by_content, source_hash),
        }
    )

    def report_change(names: Sequence[str]) -> None:
        report(f"starts anew: the last trials in {state_dir} are of another search, other in {', '.join(names)}")

    folder = fingerprint.folder(Path(state_dir), report_change)
    data = _sample(data, tuning)
    report(f"up to {tuning.num_trials} trials on {data.num_train_requests:,} training requests, state in {folder}")
    tuner = CascadeTuner(config, data, tuning, folder=folder, report=report)
    failure = None
    try:
        tuner.search()
    except errors.FatalError as error:
        failure = error.__cause__
    if failure is not None:
        raise failure
    best = tuner.best
    if best is None:
        failures = [record.failure for record in tuner.records]
        raise TuningError(f"All {len(failures)} trials failed, the last since: {failures[-1]}")
    report(
        f"best: {BEST_METRIC} {best.objective:.4f} of trial {tuner.records.index(best) + 1}; to keep its values: "
        + " ".join(f"--set trainer.{key}={override_text(value)}" for key, value in best.values.items())
    )
    return tuner


def _sample(data: TrainingData, tuning: TuningConfig) -> TrainingData:
    """The requests of all trials, in their order."""

    def draw(requests: Requests) -> Requests:
        num_requests = len(requests[CANDIDATE_ITEM])
        if tuning.max_requests is None or num_requests <= tuning.max_requests:
            return requests
        drawn = np.random.default_rng(tuning.seed).permutation(num_requests)[: tuning.max_requests]
        return {name: values[np.sort(drawn)] for name, values in requests.items()}

    return dataclasses.replace(data, train_requests=draw(data.train_requests), eval_requests=draw(data.eval_requests))
