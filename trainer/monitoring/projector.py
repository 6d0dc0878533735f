"""The item vectors of the retrieval stage for TensorBoard's embedding projector."""

import os
import re
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from trainer.data.vocabularies import Vocabularies
from trainer.model.cascade_model import CascadeModel

VECTORS, METADATA = "item_vectors.tsv", "item_metadata.tsv"


def write_projector(
    log_dir: str,
    model: CascadeModel,
    *,
    item_log_frequency: np.ndarray,
    vocabularies: Vocabularies,
    max_items: int = 5000,
) -> None:
    """Writes item vectors, `item_metadata.tsv` and `projector_config.pbtxt`.

    The metadata are the item id, its share of the training data's ground truth, and its features: the value of a
    categorical one (`(other)` outside the vocabulary), the encoded number of any other, such as a bucket.

    Args:
      log_dir: folder of the logs.
      model: the trained cascade, whose first stage is the retrieval stage.
      item_log_frequency: `[num_items + 1]`, log-probability of each catalogue row among the ground truth.
      vocabularies: of the categorical features, `"item/<name>"` those of items.
      max_items: items to show, those most often in the ground truth; among equals the first of the catalogue.
    """
    table = model.item_table
    rows = 1 + np.argsort(-item_log_frequency[1:], kind="stable")[:max_items]
    vectors = model.stages[0].item_vectors(tf.constant(rows, tf.int32)).numpy()
    _write_table(os.path.join(log_dir, VECTORS), [[f"{value:.6g}" for value in vector] for vector in vectors])
    names = [feature.name for feature in table.features]
    values = [vocabularies.get(f"item/{name}") for name in names]
    lines = [["item_id", "ground_truth_share", *names]]
    for row in rows:
        features = [_value(number, known) for number, known in zip(table.encoded[row], values, strict=True)]
        lines.append([_text(table.item_ids[row - 1]), f"{np.exp(item_log_frequency[row]):.6g}", *features])
    _write_table(os.path.join(log_dir, METADATA), lines)
    config = projector.ProjectorConfig()
    config.embeddings.add(tensor_name="item_vectors", tensor_path=VECTORS, metadata_path=METADATA)
    projector.visualize_embeddings(log_dir, config)


def _value(number: int, vocabulary: Sequence[bytes] | None) -> str:
    if vocabulary is None:
        return str(number)
    return _text(vocabulary[number]) if number < len(vocabulary) else "(other)"


def _text(value: bytes) -> str:
    return re.sub(r"[\t\r\n]", " ", value.decode(errors="replace"))


def _write_table(path: str, lines: Sequence[Sequence[str]]) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write("".join("\t".join(line) + "\n" for line in lines))
