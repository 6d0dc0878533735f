"""Runs `trainer.evaluation.evaluate.evaluate` against the last pushed release."""

import json
from pathlib import Path
from typing import Any

from tfx.components.evaluator import constants
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils

from components.blessing import BASELINE_VERSION, write_blessing
from components.cascade_evaluator.pushed_release import lay_out_pushed_release
from components.examples import judging_files, split_files
from components.progress import report
from serving.release.store import ReleaseStore
from trainer.candidate import MODELS
from trainer.config_json import from_json
from trainer.evaluation.config import EvaluationConfig
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.manifest import read_outline


class Executor(BaseExecutor):
    """Executor of `CascadeEvaluator`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the candidate and writes the gate's decision.

        Raises:
          ValueError: the input cannot be read, or the configuration does not fit the release.
          ReleaseError: the manifest of the last pushed release is damaged.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        evaluation = artifact_utils.get_single_instance(output_dict["evaluation"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        config = from_json(EvaluationConfig, exec_properties["config"])
        models_dir = str(Path(artifact_utils.get_single_uri(input_dict["release"])) / MODELS)
        baseline_version, baseline_dir = self._baseline(
            exec_properties["serving_base"], read_outline(models_dir).ground_truth_stage
        )
        result = evaluate(
            config,
            models_dir=models_dir,
            request_files=judging_files(input_dict["requests"]),
            catalogue_files=split_files(input_dict["catalogue"], "train"),
            train_request_files=split_files(input_dict["requests"], "train"),
            baseline_models_dir=baseline_dir,
            oracle={int(k): recall for k, recall in json.loads(exec_properties["oracle"]).items()},
            output_dir=evaluation.uri,
            report=report,
        )
        for note in result.decision.notes:
            report(note)
        for k in config.ks:
            evaluation.set_float_custom_property(f"recall@{k}", result.metrics[f"recall@{k}"])
        blessing.set_int_custom_property(BASELINE_VERSION, baseline_version)
        write_blessing(
            blessing,
            result.decision.reasons,
            blessed_file=constants.BLESSED_FILE_NAME,
            not_blessed_file=constants.NOT_BLESSED_FILE_NAME,
        )

    def _baseline(self, serving_base: str, ground_truth_stage: int) -> tuple[int, str | None]:
        """Returns version and models folder of the last pushed release, `(0, None)` before the first."""
        store = ReleaseStore(serving_base)
        latest = store.latest()
        if latest is None:
            return 0, None
        folder = Path(self._get_tmp_dir()) / "baseline"
        return latest.version, lay_out_pushed_release(
            store, latest.version, folder, ground_truth_stage=ground_truth_stage
        )
