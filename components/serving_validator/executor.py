"""Serves a candidate release, sends logged requests and compares the answers."""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils

from components.artifacts import judging_files
from components.blessing import check_blessing, write_blessing
from components.progress import report
from components.serving_validator.keras_reference import KerasReference
from components.serving_validator.logged_requests import read_logged_requests
from components.serving_validator.server_process import ModelsRefusedError, serve_candidate
from components.serving_validator.validate import ServingValidation, Validator
from serving import signatures
from serving.client.errors import (
    RecommendError,
    RecommendTimeoutError,
    ServerOverloadedError,
    ServerUnavailableError,
)
from serving.client.model_client import ModelClient
from trainer.release.candidate import MODELS

VALIDATION_FILE = "serving_validation.json"


class Executor(BaseExecutor):
    """Executor of `ServingValidator`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Validates the candidate and writes the blessing.

        Raises:
          NotBlessedError: the evaluation did not bless the candidate.
          ServerFailedError: the server did not get ready, for a reason that is not the candidate.
          RecommendTimeoutError: it did not answer in time.
          ServerUnavailableError: it ended while it was asked.
          ServerOverloadedError: it had no memory for a call.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        check_blessing(artifact_utils.get_single_instance(input_dict["model_blessing"]))
        # On the CPU as the server is: a GPU rounds differently. Not in the component's own temporary folder: TFX clears
        # that with gfile, which follows the links to the candidate's models and would delete them.
        with tf.device("/CPU:0"), tempfile.TemporaryDirectory(prefix="lcron-serving-") as work_dir:
            validation = self._validate(Path(work_dir), input_dict, exec_properties)

        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        text = json.dumps(dataclasses.asdict(validation), indent=2)
        (Path(blessing.uri) / VALIDATION_FILE).write_text(text + "\n")
        blessing.set_float_custom_property("max_difference", max(validation.differences.values(), default=0.0))
        for name, latency_ms in validation.latencies_ms.items():
            report(f"{name}: median {latency_ms['median']:.1f} ms, max {latency_ms['max']:.1f} ms")
        write_blessing(blessing, validation.reasons, blessed_file="INFRA_BLESSED", not_blessed_file="INFRA_NOT_BLESSED")

    def _validate(
        self, work_dir: Path, input_dict: dict[str, list[Artifact]], exec_properties: dict[str, Any]
    ) -> ServingValidation:
        candidate_dir = artifact_utils.get_single_uri(input_dict["release"])
        models_dir = Path(candidate_dir) / MODELS
        transformed_path = work_dir / "transformed.gz"
        requests = read_logged_requests(
            judging_files(input_dict["requests"]),
            judging_files(input_dict["transformed_requests"]),
            exec_properties["num_requests"],
            transformed_path,
        )
        reference = KerasReference(candidate_dir, str(transformed_path))
        tolerance, timeout_s = exec_properties["tolerance"], exec_properties["timeout_s"]
        models = (*reference.stages, signatures.CASCADE)
        report(f"serving {', '.join(models)}; sending {len(requests)} requests to every signature")
        try:
            with serve_candidate(models_dir, models, work_dir, timeout_s) as target, ModelClient(target) as client:
                k = min(exec_properties["k"], *reference.capacities)
                validator = Validator(client, models_dir, reference, k=k, tolerance=tolerance, timeout_s=timeout_s)
                return validator.validate(requests)
        except (RecommendTimeoutError, ServerUnavailableError, ServerOverloadedError):
            raise  # a machine that is slow or full is no judgement of the candidate
        except (ModelsRefusedError, RecommendError) as error:
            return ServingValidation(len(requests), tolerance, {}, {}, (str(error),))
