"""Runs `trainer.tuning.tune.tune`."""

import os
from typing import Any

from tfx.components.tuner.executor import write_best_hyperparameters
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from components.artifacts import training_files
from components.progress import report
from trainer.config.json_text import from_json
from trainer.config.trainer import TrainerConfig
from trainer.data.features import FeatureSpec
from trainer.training.train_model import BEST_METRIC
from trainer.tuning.config import TuningConfig
from trainer.tuning.trials_report import trials_csv, trials_plot
from trainer.tuning.tune import tune


class Executor(BaseExecutor):
    """Executor of `CascadeTuner`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Searches, and writes the best values and all trials.

        Raises:
          ValueError: the examples do not fit the features, or the configuration does not take the values.
          TuningError: all trials failed.
          CheckpointError: a checkpoint could not be written or read.
          PackedRequestsError: the packed requests could not be written.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        tuning = from_json(TuningConfig, exec_properties["tuning"])
        tuner = tune(
            from_json(TrainerConfig, exec_properties["trainer"]),
            from_json(FeatureSpec, exec_properties["features"]),
            tuning,
            training_files(input_dict),
            state_dir=exec_properties["state_dir"],
            packed_dir=exec_properties["packed_dir"],
            source_hash=exec_properties["source_hash"],
            report=report,
        )
        write_best_hyperparameters(tuner, output_dict)
        results = artifact_utils.get_single_instance(output_dict["tuner_results"])
        io_utils.write_string_file(os.path.join(results.uri, "trials.csv"), trials_csv(tuner.records))
        io_utils.write_string_file(os.path.join(results.uri, "trials.svg"), trials_plot(tuner.records, tuning))
        results.set_int_custom_property("num_trials", len(tuner.records))
        results.set_int_custom_property("num_failed", sum(record.objective is None for record in tuner.records))
        results.set_float_custom_property(BEST_METRIC, max(record.objective or 0.0 for record in tuner.records))
