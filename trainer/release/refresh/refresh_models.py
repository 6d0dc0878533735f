"""The models of a release with other items: same weights, new item vectors."""

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from serving import signatures
from trainer.data.input import Requests, item_table
from trainer.data.item_table import ItemTable
from trainer.data.preprocessing import encoded_features
from trainer.data.request_batch import HISTORY_ITEM, empty_batch
from trainer.data.vocabularies import ITEM_ID, vocabularies
from trainer.model.cascade_model import CascadeModel
from trainer.release.export.write_models import write_models
from trainer.release.refresh.material import RefreshMaterial, read_material
from trainer.release.training_record import WarmStartRecord
from trainer.release.warm_start import warm_start

_BATCH_SIZE = 4096


class RefreshError(Exception):
    """A catalogue that a release cannot be refreshed with."""


@dataclasses.dataclass(frozen=True)
class Refresh:
    """What a refresh did.

    Args:
      num_kept: items that both catalogues have.
      num_new: items that only the new one has.
      num_gone: items that only the old one had.
      index: kind and recall of the new index, as a release's manifest has them.
    """

    num_kept: int
    num_new: int
    num_gone: int
    index: dict[str, str | float]


def refresh_models(cascade_dir: str, catalogue: Iterable[bytes], models_dir: str, *, min_kept: float = 0.5) -> Refresh:
    """Writes the models of a release for another catalogue.

    All weights stay. Items are encoded by the release's own Transform, so a feature that changed counts. A new item
    has the mean of the embeddings of the items known, and its own features.

    Args:
      cascade_dir: the cascade's SavedModel of the release.
      catalogue: serialised catalogue examples, raw, each item once.
      models_dir: folder to write the SavedModels to, as those of a candidate release.
      min_kept: share of the old items that must be in the new catalogue; fewer look like another data set.

    Raises:
      ValueError: the release carries no material for it.
      RefreshError: the catalogue is empty, repeats an item, does not fit the features, or has too few of the old items.
    """
    material = read_material(cascade_dir)
    table = _encode(catalogue, material)
    new, old = set(table.item_ids), set(material.item_ids)
    kept = len(new & old)
    if kept < min_kept * len(old):
        raise RefreshError(
            f"At least {min_kept:.0%} of the release's {len(old):,} items must be in the new catalogue. "
            f"Received: {kept:,} of them among {len(new):,} items"
        )
    model = CascadeModel(material.config, material.features, material.request_features, table)
    model(empty_batch(material.features, material.request_features))
    request_transform, catalogue_transform = map(tft.TFTransformOutput, material.transform_dirs)
    words = vocabularies(request_transform, material.features.request, "request")
    words |= vocabularies(catalogue_transform, material.features.item, "item")
    _check_weights(warm_start(model, cascade_dir, words, new_items="mean"))
    requests = _with_rows_of(table, material)
    refreshed = dataclasses.replace(material, item_ids=table.item_ids, requests=requests)
    recall = write_models(models_dir, model, material=refreshed, vocabularies=words)
    index: dict[str, str | float] = {"kind": material.config.index.kind, **recall}
    return Refresh(kept, len(new) - kept, len(old) - kept, index)


def _check_weights(record: WarmStartRecord) -> None:
    """Other code, or another width, must not leave weights at random in a release that is not trained."""
    lost = [*record.initialized]
    for table in record.tables:
        is_of_items = f"/{ITEM_ID}/" in f"{table.name}/"
        if (table.num_kept == 0 and table.num_new) if is_of_items else table.num_new:
            lost.append(table.name)
    if lost:
        raise RefreshError(
            "The release must be of this version of the project, with the same towers. "
            f"Received: one without weights for {', '.join(sorted(set(lost)))}"
        )


def _encode(catalogue: Iterable[bytes], material: RefreshMaterial) -> ItemTable:
    transform = tft.TFTransformOutput(material.catalogue_transform_dir)
    spec, layer = transform.raw_feature_spec(), transform.transform_features_layer()
    features = encoded_features(transform, material.features.item)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in (signatures.ITEM_ID, *(f.name for f in features))}
    for examples in _batches(catalogue):
        try:
            encoded = layer(tf.io.parse_example(examples, spec))
        except tf.errors.OpError as error:
            reason = error.message.rpartition("}} ")[2].partition("\n")[0]  # without the names of operations
            raise RefreshError(f"The catalogue does not fit the release's features: {reason}") from error
        for name, values in columns.items():
            values.append(encoded[name].numpy().reshape(-1))
    if not columns[signatures.ITEM_ID]:
        raise RefreshError("The catalogue must hold at least one item. Received: none")
    try:
        return item_table({name: np.concatenate(values) for name, values in columns.items()}, features)
    except ValueError as error:
        raise RefreshError(str(error)) from error


def _with_rows_of(table: ItemTable, material: RefreshMaterial) -> Requests:
    """The requests of the material with the rows of the new catalogue; what it lacks is the unknown item."""
    row = {item_id: number for number, item_id in enumerate(table.item_ids, start=1)}
    rows = np.array([0, *(row.get(item_id, 0) for item_id in material.item_ids)], np.int32)
    return material.requests | {HISTORY_ITEM: rows[material.requests[HISTORY_ITEM]]}


def _batches(examples: Iterable[bytes]) -> Iterator[list[bytes]]:
    iterator = iter(examples)
    while batch := list(islice(iterator, _BATCH_SIZE)):
        yield batch
