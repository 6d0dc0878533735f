"""Runs `trainer.evaluation.evaluate.evaluate` against the last pushed release."""

import json
from typing import Any

from tfx.components.evaluator import constants
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils

from components.artifacts import judging_files, split_files
from components.blessing import BASELINE_VERSION, write_blessing
from components.cascade_evaluator.pushed_subject import pushed_subject
from components.progress import report
from serving.release.store import ReleaseStore
from trainer.config.json_text import from_json
from trainer.evaluation.config import EvaluationConfig
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.subject import read_candidate


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
        candidate = read_candidate(artifact_utils.get_single_uri(input_dict["release"]))
        store = ReleaseStore(exec_properties["serving_base"])
        latest = store.latest()
        baseline = None
        if latest is not None:
            baseline = pushed_subject(store, latest, ground_truth_stage=candidate.ground_truth_stage)
        result = evaluate(
            config,
            candidate,
            request_files=judging_files(input_dict["requests"]),
            catalogue_files=split_files(input_dict["catalogue"], "train"),
            train_request_files=split_files(input_dict["requests"], "train"),
            baseline=baseline,
            oracle={int(k): recall for k, recall in json.loads(exec_properties["oracle"]).items()},
            output_dir=evaluation.uri,
            report=report,
        )
        for note in result.decision.notes:
            report(note)
        for k in config.ks:
            evaluation.set_float_custom_property(f"recall@{k}", result.metrics[f"recall@{k}"])
        blessing.set_int_custom_property(BASELINE_VERSION, latest.version if latest else 0)
        write_blessing(
            blessing,
            result.decision.reasons,
            blessed_file=constants.BLESSED_FILE_NAME,
            not_blessed_file=constants.NOT_BLESSED_FILE_NAME,
        )
