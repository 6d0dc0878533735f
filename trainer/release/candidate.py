"""The candidate release on disk: SavedModels, the Keras model's weights and a manifest."""

import dataclasses
import os
import uuid

import numpy as np
import tensorflow as tf

from trainer.config.json_text import from_json, to_json
from trainer.config.trainer import TrainerConfig
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.data.item_lookup import read_item_ids, write_item_ids
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.data.vocabularies import Vocabularies
from trainer.model.cascade_model import CascadeModel
from trainer.release.export.write_models import write_models
from trainer.release.refresh.material import RefreshMaterial
from trainer.release.training_record import TrainingRecord

MANIFEST = "manifest.json"
FORMAT = 2
"""Of the manifest and of what it holds."""

MODELS = "models"
CHECKPOINT = "checkpoint"

_WEIGHTS = "weights"
_ITEM_IDS = "item_ids.txt"
_ITEM_TABLE = "item_table.npy"
_ENCODED_FEATURES = "encoded_features.json"


@dataclasses.dataclass(frozen=True)
class CandidateStage:
    """A stage as the manifest lists it; `StageConfig` says what the fields mean."""

    name: str
    tower: str
    capacity: int
    list_capacity: int | None


@dataclasses.dataclass(frozen=True)
class CandidateManifest:
    """What `manifest.json` of a candidate release holds.

    Args:
      stages: in funnel order.
      config: the training run.
      features: the features of the data set.
      record: what came of the training run.
      tensorflow_version: that wrote the models.
      index_recall: by `"recall@<k>"`, the share of the exact search's answer that the index finds.
      format: of the file; other versions of this project may write another.
    """

    stages: tuple[CandidateStage, ...]
    config: TrainerConfig
    features: FeatureSpec
    record: TrainingRecord
    tensorflow_version: str
    index_recall: dict[str, float] = dataclasses.field(default_factory=dict)
    format: int = FORMAT


@dataclasses.dataclass(frozen=True)
class _EncodedFeatures:
    request: tuple[EncodedFeature, ...]
    item: tuple[EncodedFeature, ...]


def write_candidate(
    candidate_dir: str,
    model: CascadeModel,
    *,
    material: RefreshMaterial,
    vocabularies: Vocabularies,
    record: TrainingRecord,
) -> None:
    """Writes a candidate release; the folder appears complete or not at all.

    Args:
      candidate_dir: folder to write; it must be empty or not there.
      model: the trained cascade.
      material: what a refresh of the catalogue needs beside the weights.
      vocabularies: of the categorical features, so that later runs can start from these weights.
      record: of the training run.

    Raises:
      ValueError: `candidate_dir` holds something.
    """
    if tf.io.gfile.exists(candidate_dir) and tf.io.gfile.listdir(candidate_dir):
        raise ValueError(f"The candidate release needs an empty folder. Received: {candidate_dir}, which is not")
    parent, name = os.path.split(os.path.normpath(candidate_dir))
    temporary_dir = os.path.join(parent, f".{name}.tmp-{uuid.uuid4().hex}")
    try:
        _write(temporary_dir, model, material, vocabularies, record)
        tf.io.gfile.rename(temporary_dir, candidate_dir, overwrite=True)
    finally:
        if tf.io.gfile.exists(temporary_dir):
            tf.io.gfile.rmtree(temporary_dir)


def read_manifest(candidate_dir: str) -> CandidateManifest:
    """Reads the manifest of a candidate release.

    Raises:
      ValueError: it is missing, damaged or of another format.
    """
    path = os.path.join(candidate_dir, MANIFEST)
    text = _read_text(path)
    try:
        return from_json(CandidateManifest, text, expected_format=FORMAT)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def load_model(candidate_dir: str) -> CascadeModel:
    """Rebuilds the Keras model of a candidate release, with its weights.

    Args:
      candidate_dir: folder that `write_candidate` wrote.

    Returns:
      The model. Compile it to train it further.

    Raises:
      ValueError: a file of the release is missing or damaged.
    """
    manifest = read_manifest(candidate_dir)
    folder = os.path.join(candidate_dir, CHECKPOINT)
    encoded = from_json(_EncodedFeatures, _read_text(os.path.join(folder, _ENCODED_FEATURES)))
    try:
        item_ids = read_item_ids(os.path.join(folder, _ITEM_IDS))
        with tf.io.gfile.GFile(os.path.join(folder, _ITEM_TABLE), "rb") as file:
            item_table = ItemTable(item_ids, np.load(file, allow_pickle=False), encoded.item)
        model = CascadeModel(manifest.config, manifest.features, encoded.request, item_table)
        model(empty_batch(manifest.features, encoded.request))
        model.load_weights(os.path.join(folder, _WEIGHTS)).assert_existing_objects_matched().expect_partial()
    except (tf.errors.OpError, AssertionError) as error:
        raise ValueError(f"The checkpoint {folder} cannot be read: {error}") from error
    return model


def _write(
    folder: str, model: CascadeModel, material: RefreshMaterial, vocabularies: Vocabularies, record: TrainingRecord
) -> None:
    checkpoint_dir = os.path.join(folder, CHECKPOINT)
    tf.io.gfile.makedirs(checkpoint_dir)
    write_item_ids(model.item_table.item_ids, os.path.join(checkpoint_dir, _ITEM_IDS))
    with tf.io.gfile.GFile(os.path.join(checkpoint_dir, _ITEM_TABLE), "wb") as file:
        np.save(file, model.item_table.encoded, allow_pickle=False)
    encoded = _EncodedFeatures(material.request_features, model.item_table.features)
    _write_text(os.path.join(checkpoint_dir, _ENCODED_FEATURES), to_json(encoded))
    model.save_weights(os.path.join(checkpoint_dir, _WEIGHTS))
    index_recall = write_models(os.path.join(folder, MODELS), model, material=material, vocabularies=vocabularies)
    stages = (CandidateStage(s.name, s.tower.kind, s.capacity, s.list_capacity) for s in model.config.stages)
    manifest = CandidateManifest(tuple(stages), model.config, model.features, record, tf.__version__, index_recall)
    _write_text(os.path.join(folder, MANIFEST), to_json(manifest))


def _read_text(path: str) -> str:
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise ValueError(f"The candidate release has no readable {path}: {error.message}") from error


def _write_text(path: str, text: str) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(text + "\n")
