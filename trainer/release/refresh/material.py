"""What a release carries so that its models can be made again for another catalogue."""

import dataclasses
import io
import os
import zipfile
import zlib

import numpy as np
import tensorflow as tf

from trainer.config.json_text import from_json, to_json
from trainer.config.trainer import TrainerConfig
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.data.input import Requests
from trainer.data.item_lookup import read_item_ids, write_item_ids

REFRESH = os.path.join("assets.extra", "refresh")
"""Folder inside the cascade's SavedModel, beside that of warm starts, which holds the weights."""

FORMAT = 2
"""Of what a refresh reads; other versions of this project may write another."""

_DECLARATION, _SAMPLE, _ITEM_IDS = "declaration.json", "requests.npz", "item_ids.txt"
_TRANSFORMS = ("request_transform", "catalogue_transform")


@dataclasses.dataclass(frozen=True)
class RefreshMaterial:
    """All but the weights.

    Args:
      config: the training run.
      features: of the data set.
      request_features: the encoded request features.
      request_transform_dir: output folder of the requests' Transform.
      catalogue_transform_dir: output folder of the catalogue's Transform.
      item_ids: the catalogue that the rows of `requests` are of.
      requests: some real requests, encoded, which measure the index.
    """

    config: TrainerConfig
    features: FeatureSpec
    request_features: tuple[EncodedFeature, ...]
    request_transform_dir: str
    catalogue_transform_dir: str
    item_ids: tuple[bytes, ...]
    requests: Requests

    @property
    def transform_dirs(self) -> tuple[str, str]:
        """Of the requests and of the catalogue."""
        return self.request_transform_dir, self.catalogue_transform_dir


@dataclasses.dataclass(frozen=True)
class _Declaration:
    config: TrainerConfig
    features: FeatureSpec
    request_features: tuple[EncodedFeature, ...]
    format: int = FORMAT


def write_material(cascade_dir: str, material: RefreshMaterial) -> None:
    """Writes it into the cascade's SavedModel."""
    folder = os.path.join(cascade_dir, REFRESH)
    tf.io.gfile.makedirs(folder)
    for name, source in zip(_TRANSFORMS, material.transform_dirs, strict=True):
        _copy_tree(source, os.path.join(folder, name))
    write_item_ids(material.item_ids, os.path.join(folder, _ITEM_IDS))
    arrays = io.BytesIO()  # what writes them reads too, as tf.io.gfile's files cannot
    np.savez_compressed(arrays, **material.requests)
    with tf.io.gfile.GFile(os.path.join(folder, _SAMPLE), "wb") as file:
        file.write(arrays.getvalue())
    declaration = _Declaration(material.config, material.features, material.request_features)
    with tf.io.gfile.GFile(os.path.join(folder, _DECLARATION), "w") as file:
        file.write(to_json(declaration) + "\n")


def read_material(cascade_dir: str) -> RefreshMaterial:
    """Reads what `write_material` wrote.

    Raises:
      ValueError: it is not there, or damaged.
    """
    folder = os.path.join(cascade_dir, REFRESH)
    try:
        with tf.io.gfile.GFile(os.path.join(folder, _DECLARATION), "r") as file:
            declaration = from_json(_Declaration, file.read(), expected_format=FORMAT)
        with tf.io.gfile.GFile(os.path.join(folder, _SAMPLE), "rb") as file:
            requests = dict(np.load(io.BytesIO(file.read()), allow_pickle=False))
        item_ids = read_item_ids(os.path.join(folder, _ITEM_IDS))
    except (tf.errors.OpError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"A refresh needs a cascade's SavedModel with a readable folder {REFRESH}. "
            f"Received: {cascade_dir} ({reason})"
        ) from error
    request_transform, catalogue_transform = (os.path.join(folder, name) for name in _TRANSFORMS)
    return RefreshMaterial(
        declaration.config,
        declaration.features,
        declaration.request_features,
        request_transform,
        catalogue_transform,
        item_ids,
        requests,
    )


def _copy_tree(source: str, target: str) -> None:
    for folder, _, names in tf.io.gfile.walk(source):
        copy = os.path.join(target, os.path.relpath(folder, source))
        tf.io.gfile.makedirs(copy)
        for name in names:
            tf.io.gfile.copy(os.path.join(folder, name), os.path.join(copy, name), overwrite=True)
