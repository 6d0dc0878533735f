"""The exported models of the tiny candidate release and what the Keras model says to the same requests."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from models import load_saved_model

from trainer.data.features import FeatureSpec
from trainer.data.input import example_batches, read_requests
from trainer.data.preprocessing import encoded_features, missing_value
from trainer.model.cascade_model import CascadeModel
from trainer.release.candidate import load_model

Signature = Callable[..., dict[str, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class KerasReference:
    """The Keras model and the batch of the candidate requests, in their order."""

    model: CascadeModel
    batch: dict[str, np.ndarray]
    item_ids: tuple[bytes, ...]

    def stage_scores(self, stage_index: int, rows: np.ndarray) -> np.ndarray:
        """Scores `[B, N]` of catalogue rows `[B, N]`."""
        stage = self.model.stages[stage_index]
        batch = {name: tf.constant(values) for name, values in self.batch.items()}
        return stage.score(stage.encode_request(batch), tf.constant(rows, tf.int32)).numpy()


@pytest.fixture(scope="session")
def keras_reference(candidate_dir: Path, transformed_data: Any) -> KerasReference:
    model = load_model(str(candidate_dir))
    transform_output = tft.TFTransformOutput(transformed_data.request_transform_dir)
    features = transformed_data.features
    request_features = encoded_features(transform_output, features.request)
    batch, _ = read_requests(transformed_data.eval_files, features, request_features, model.item_table.item_ids)
    examples = example_batches(transformed_data.eval_files).unbatch().as_numpy_iterator()
    position = {_request_id(example): index for index, example in enumerate(examples)}
    order = [position[_request_id(example)] for example in transformed_data.eval_requests]
    return KerasReference(model, {name: values[order] for name, values in batch.items()}, model.item_table.item_ids)


@pytest.fixture(scope="session")
def signature(candidate_dir: Path) -> Callable[[str, str], Signature]:
    """A signature of an exported model, by the model's name and its own."""
    return lambda model, name: load_saved_model(candidate_dir / "models" / model).signatures[name]


@pytest.fixture(scope="session")
def raw_inputs(transformed_data: Any) -> Callable[[list[bytes]], dict[str, tf.Tensor]]:
    """Raw-tensor request inputs of serialized examples, `""` padding the lists."""

    def convert(examples: list[bytes]) -> dict[str, tf.Tensor]:
        features: FeatureSpec = transformed_data.features
        dtypes = {"string": tf.string, "int64": tf.int64, "float": tf.float32}
        spec = {
            feature.name: tf.io.FixedLenFeature([], dtypes[feature.dtype], missing_value(feature))
            for feature in features.request
        }
        spec |= {
            name: tf.io.RaggedFeature(tf.string) for name in ("history_item_id", "candidate_item_id", "exclude_item_id")
        }
        spec["history_grade"] = tf.io.RaggedFeature(tf.int64)
        parsed = tf.io.parse_example(examples, spec)
        return {
            name: value.to_tensor() if isinstance(value, tf.RaggedTensor) else value for name, value in parsed.items()
        }

    return convert


def _request_id(example: bytes) -> bytes:
    return tf.train.Example.FromString(example).features.feature["request_id"].bytes_list.value[0]
