"""Validates examples against the schema and refuses anomalous ones."""

import shutil
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator import executor as example_validator
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from sources.reading import DataError

_NUM_SHOWN = 5


class Executor(example_validator.Executor):
    """TFX's validator, whose anomalies end the run."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Validates every split.

        Raises:
          DataError: an anomaly was found; the message says in which feature and split. The anomalies stay readable
            in the folder that it names.
        """
        output = super().Do(input_dict, output_dict, exec_properties)
        anomalies = artifact_utils.get_single_instance(output_dict["anomalies"])
        found = [
            line
            for split in artifact_utils.decode_split_names(anomalies.split_names)
            for line in _describe(split, _read(artifact_utils.get_split_uri([anomalies], split)))
        ]
        if found:
            # The outputs of a failed execution are deleted.
            kept = Path(anomalies.uri).parent.with_name("refused") / Path(anomalies.uri).name
            shutil.copytree(anomalies.uri, kept, dirs_exist_ok=True)
            others = f"; and {len(found) - _NUM_SHOWN} more" if len(found) > _NUM_SHOWN else ""
            raise DataError(f"The data breaks its schema: {'; '.join(found[:_NUM_SHOWN])}{others}. Anomalies: {kept}")
        return output


def _read(split_uri: str) -> anomalies_pb2.Anomalies:
    anomalies = anomalies_pb2.Anomalies()
    anomalies.ParseFromString(io_utils.read_bytes_file(f"{split_uri}/{example_validator.DEFAULT_FILE_NAME}"))
    return anomalies


def _describe(split: str, anomalies: anomalies_pb2.Anomalies) -> list[str]:
    if anomalies.data_missing:
        return [f"split '{split}' holds no data"]
    lines = [
        f"feature `{name}` in split '{split}': {info.description.rstrip('. ')}"
        for name, info in sorted(anomalies.anomaly_info.items())
    ]
    if anomalies.HasField("dataset_anomaly_info"):
        lines.append(f"split '{split}': {anomalies.dataset_anomaly_info.description.rstrip('. ')}")
    return lines
