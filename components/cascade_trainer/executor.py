"""Runs `trainer.training.run.train`."""

from typing import Any

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils

from components.artifacts import read_hyperparameters, training_files
from components.cascade_trainer.provenance import git_commit, lock_hash
from components.cascade_trainer.warm_start import find_warm_start
from components.progress import report
from trainer.config.json_text import from_json
from trainer.config.trainer import TrainerConfig
from trainer.data.features import FeatureSpec
from trainer.training.run import train
from trainer.training.train_model import BEST_METRIC
from trainer.tuning.tuned_config import tuned_config, values_text


class Executor(BaseExecutor):
    """Executor of `CascadeTrainer`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains the cascade and writes the candidate release.

        Raises:
          ValueError: the examples do not fit the features, there is nothing to start from where it should be, or the
            configuration does not take the tuned values.
          ReleaseError: the manifest of the last release is damaged.
          DivergedError: the loss became infinite or not a number.
          CheckpointError: a checkpoint could not be written or read.
          PackedRequestsError: the packed requests could not be written.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        release = artifact_utils.get_single_instance(output_dict["release"])
        warm_start_dir = find_warm_start(exec_properties["warm_start"], exec_properties["serving_base"])
        if exec_properties["warm_start"] and warm_start_dir is None:
            report("no release yet: starts from random weights")
        config = from_json(TrainerConfig, exec_properties["trainer"])
        if input_dict.get("hyperparameters"):
            values = read_hyperparameters(input_dict["hyperparameters"])
            config = tuned_config(config, values)
            report(f"tuned: {values_text(values)}")
        record = train(
            config,
            from_json(FeatureSpec, exec_properties["features"]),
            training_files(input_dict),
            output_dir=release.uri,
            log_dir=artifact_utils.get_single_uri(output_dict["model_run"]),
            checkpoint_dir=exec_properties["checkpoint_dir"],
            packed_dir=exec_properties["packed_dir"],
            source_hash=exec_properties["source_hash"],
            warm_start_dir=warm_start_dir,
            profile=bool(exec_properties["profile"]),
            report=report,
        )
        release.set_int_custom_property("num_parameters", record.num_parameters)
        release.set_int_custom_property("num_items", record.num_items)
        release.set_int_custom_property("best_epoch", record.best_epoch)
        release.set_float_custom_property(
            BEST_METRIC, record.epochs[record.best_epoch - 1].validation[BEST_METRIC.removeprefix("val_")]
        )
        for name, value in (("git_commit", git_commit()), ("lock_hash", lock_hash())):
            release.set_string_custom_property(name, value or "")
