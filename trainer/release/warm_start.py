"""A training run that starts from the weights of an earlier release."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import tensorflow as tf

from trainer.data.item_lookup import read_item_ids, write_item_ids
from trainer.data.vocabularies import ITEM_ID, Vocabularies
from trainer.model.cascade_model import CascadeModel
from trainer.model.towers.tower import Tower
from trainer.release.training_record import WarmStartRecord, WarmStartTable

WARM_START = os.path.join("assets.extra", "warm_start")
"""Folder inside the cascade's SavedModel; `assets.extra` is TensorFlow's place for files that no graph reads."""

_UNKNOWN = b""  # stands for the row of everything unknown; no id is empty
_NETWORK = "network/"
_LOSS = "cascade"  # no stage has this name
_INDEX, _PARAMETERS = "index.json", "parameters"


def write_warm_start(cascade_dir: str, model: CascadeModel, vocabularies: Vocabularies) -> None:
    """Writes what a later run needs to start from this model, whatever its configuration will be.

    Args:
      cascade_dir: the cascade's SavedModel; the files go to its `assets.extra/warm_start`.
      model: the trained cascade.
      vocabularies: of all categorical features.
    """
    folder = os.path.join(cascade_dir, WARM_START)
    ids = {**vocabularies, ITEM_ID: model.item_table.item_ids}
    parameters = dict(_parameters(model))
    tf.io.gfile.makedirs(folder)
    for number, vocabulary in enumerate(ids.values()):
        write_item_ids(vocabulary, _ids_path(folder, number))
    tf.train.Checkpoint(parameters=list(parameters.values())).write(os.path.join(folder, _PARAMETERS))
    index = {"parameters": list(parameters), "ids": list(ids), "inputs": _inputs(model)}
    with tf.io.gfile.GFile(os.path.join(folder, _INDEX), "w") as file:
        file.write(json.dumps(index, indent=2) + "\n")


def warm_start_files(cascade_dir: str) -> list[str]:
    """Returns the files that `warm_start` reads.

    Raises:
      ValueError: the release cannot be started from.
    """
    folder = os.path.join(cascade_dir, WARM_START)
    if not tf.io.gfile.exists(os.path.join(folder, _INDEX)):
        raise ValueError(
            f"A warm start needs a cascade's SavedModel with a folder {WARM_START}. Received: {cascade_dir}"
        )
    return [os.path.join(folder, name) for name in sorted(tf.io.gfile.listdir(folder))]


def warm_start(
    model: CascadeModel,
    cascade_dir: str,
    vocabularies: Vocabularies,
    *,
    new_items: Literal["initial", "mean"] = "initial",
) -> WarmStartRecord:
    """Gives a model the weights of an earlier one, as far as they mean the same.

    An embedding goes to the row of the same id; ids that are new keep the values that the model was built with, unless
    `new_items` gives items the mean of those known. Other
    weights are taken where the shapes are equal, those of the networks only if the stage has the same tower over the
    same features in the same order. Embeddings of numeric features are those of the same quantile, those of hashed
    features of the same bucket if there are as many buckets.

    Args:
      model: the cascade, built.
      cascade_dir: SavedModel of the earlier cascade, with what `write_warm_start` wrote.
      vocabularies: of the model's categorical features.
      new_items: embeddings of new items: `"initial"` for a model that is trained further, `"mean"` for one that is not.

    Returns:
      What was kept.

    Raises:
      ValueError: the files are missing or damaged.
    """
    folder = os.path.dirname(warm_start_files(cascade_dir)[0])
    try:
        with tf.io.gfile.GFile(os.path.join(folder, _INDEX), "r") as file:
            index = json.loads(file.read())
        reader = tf.train.load_checkpoint(os.path.join(folder, _PARAMETERS))
        old_rows = {name: _rows(name, read_item_ids(_ids_path(folder, n))) for n, name in enumerate(index["ids"])}
        numbers = {name: number for number, name in enumerate(index["parameters"])}
        old_inputs = index["inputs"]
    except (tf.errors.OpError, ValueError, KeyError) as error:
        raise ValueError(f"The warm start in {folder} cannot be read: {error}") from error
    ids = {**vocabularies, ITEM_ID: model.item_table.item_ids}
    new_rows = {name: _rows(name, vocabulary) for name, vocabulary in ids.items()}
    new_inputs = _inputs(model)
    tables, kept, initialized = [], [], []
    for name, variable in _parameters(model):
        part, _, of_part = name.partition("/")
        table = ITEM_ID if of_part.startswith(f"{ITEM_ID}/") else of_part
        old = None
        if name in numbers and (old_inputs.get(part) == new_inputs[part] or not of_part.startswith(_NETWORK)):
            old = reader.get_tensor(f"{_PARAMETERS}/{numbers[name]}/.ATTRIBUTES/VARIABLE_VALUE")
        if table in new_rows:
            is_usable = old is not None and old.shape[1:] == variable.shape[1:]
            rows = old_rows.get(table, {}) if is_usable else {}
            takes_mean = new_items == "mean" and table == ITEM_ID
            tables.append(_take_rows(name, variable, old, rows, new_rows[table], takes_mean=takes_mean))
        elif old is not None and old.shape == variable.shape and table not in old_rows:  # else its rows were ids
            variable.assign(old)
            kept.append(name)
        else:
            initialized.append(name)
    return WarmStartRecord(cascade_dir, tuple(tables), tuple(kept), tuple(initialized))


def _take_rows(
    name: str,
    variable: tf.Variable,
    old: np.ndarray | None,
    old_rows: Mapping[bytes, int],
    rows: Mapping[bytes, int],
    *,
    takes_mean: bool,
) -> WarmStartTable:
    """Moves embeddings to the rows of their ids, and counts. `old_rows` is empty where there are none to move."""
    shared = [key for key in rows if key in old_rows]
    if old is not None and shared:
        values = variable.numpy()
        if takes_mean:
            values[:] = old[[row for key, row in old_rows.items() if key != _UNKNOWN]].mean(axis=0)
        values[[rows[key] for key in shared]] = old[[old_rows[key] for key in shared]]
        variable.assign(values)
    num_kept = len(shared) - (_UNKNOWN in old_rows)
    num_old = max(len(old_rows) - 1, 0)
    return WarmStartTable(name, num_kept, len(rows) - 1 - num_kept, num_old - num_kept)


def _rows(name: str, ids: Sequence[bytes]) -> dict[bytes, int]:
    """The row of each id. Unknown items have the first row of their table, other unknown values the last."""
    if name == ITEM_ID:
        return {key: row for row, key in enumerate([_UNKNOWN, *ids])}
    return {key: row for row, key in enumerate([*ids, _UNKNOWN])}


def _parameters(model: CascadeModel) -> Iterator[tuple[str, tf.Variable]]:
    """Every trained variable with a name that says what it is, `<stage>/<group>/...`."""
    for stage in model.stages:
        tables = dict(_tables(stage))
        for name, variable in tables.items():
            yield f"{stage.name}/{name}", variable
        in_tables = {variable.ref() for variable in tables.values()}
        for path, variable in _variables(stage):
            if variable.trainable and variable.ref() not in in_tables:
                yield f"{stage.name}/{_NETWORK}{path}", variable
    for path, variable in _variables(model.cascade_loss):
        if variable.trainable:
            yield f"{_LOSS}/{_NETWORK}{path}", variable


def _tables(stage: Tower) -> Iterator[tuple[str, tf.Variable]]:
    yield ITEM_ID, stage.item_encoder.item_embedding.embeddings
    for name, layer in stage.item_tables.items():
        yield f"{ITEM_ID}/{name}", layer.embeddings
    names = [f"request/{feature.name}" for feature in stage.request_features]
    names += [f"item/{feature.name}" for feature in stage.item_features]
    names += [f"history/{feature.name}" for feature in stage.history_features]
    layers = [*stage.request_encoder.tables, *stage.item_encoder.tables, *stage.history_encoder.tables]
    for name, layer in zip(names, layers, strict=True):
        yield name, layer.embeddings


def _variables(root: tf.Module) -> Iterator[tuple[str, tf.Variable]]:
    """Variables below an object, each once, with the shortest path of attributes to it."""
    seen, waiting = set(), [("", root)]
    while waiting:
        path, node = waiting.pop(0)
        for name, child in tf.train.TrackableView.children(node).items():
            if id(child) not in seen:
                seen.add(id(child))
                child_path = f"{path}/{name}" if path else name
                if isinstance(child, tf.Variable):
                    yield child_path, child
                else:
                    waiting.append((child_path, child))


def _inputs(model: CascadeModel) -> dict[str, list]:
    """What the dense layers of each stage, and the weights of the loss, are over."""
    inputs = {
        stage.name: [
            type(stage).__name__,
            *(
                [[feature.name, feature.embedding_dim] for feature in features]
                for features in (stage.request_features, stage.item_features, stage.history_features)
            ),
        ]
        for stage in model.stages
    }
    return {**inputs, _LOSS: [model.config.loss.method.kind, [stage.name for stage in model.stages]]}


def _ids_path(folder: str, number: int) -> str:
    return os.path.join(folder, f"ids_{number}.txt")
