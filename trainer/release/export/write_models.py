"""The SavedModels of a release and what they carry for later."""

import os
import tempfile

import tensorflow as tf

from serving import signatures
from trainer.data.item_lookup import write_item_ids
from trainer.data.vocabularies import Vocabularies
from trainer.model.cascade_model import CascadeModel
from trainer.release.export.export_models import export_models
from trainer.release.export.retrieval_index import RetrievalIndex
from trainer.release.refresh.material import RefreshMaterial, write_material
from trainer.release.warm_start import write_warm_start


def write_models(
    models_dir: str, model: CascadeModel, *, material: RefreshMaterial, vocabularies: Vocabularies
) -> dict[str, float]:
    """Exports a cascade, with what a warm start and a refresh of the catalogue need in the cascade's SavedModel.

    Args:
      models_dir: folder to write `<stage>/` and `cascade/` into.
      model: the trained cascade.
      material: for a refresh; its catalogue is the model's.
      vocabularies: of the categorical features.

    Returns:
      The recall of the index on the requests of the material, as `index_recall` gives it.
    """
    index = RetrievalIndex(model, vocabularies)
    with tempfile.TemporaryDirectory(prefix="lcron-item-ids-") as folder:
        item_ids_path = os.path.join(folder, "item_ids.txt")
        write_item_ids(model.item_table.item_ids, item_ids_path)
        export_models(
            model,
            index,
            request_transform_dir=material.request_transform_dir,
            item_ids_path=item_ids_path,
            models_dir=models_dir,
        )
    cascade_dir = os.path.join(models_dir, signatures.CASCADE)
    write_warm_start(cascade_dir, model, vocabularies)
    write_material(cascade_dir, material)
    return index.recall({name: tf.constant(values) for name, values in material.requests.items()})
