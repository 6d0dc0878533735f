"""Everything that a training run reads."""

import dataclasses
import time

import tensorflow_transform as tft

from trainer.data.catalogue_misses import CatalogueMisses
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.data.input import Requests, read_item_table, read_requests
from trainer.data.item_table import ItemTable
from trainer.data.packed.packed_requests import packed_requests
from trainer.data.preprocessing import encoded_features
from trainer.data.request_batch import CANDIDATE_ITEM
from trainer.data.training_files import TrainingFiles
from trainer.data.vocabularies import Vocabularies, vocabularies
from trainer.reporting import Report


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What the examples hold and what Transform knows about them; several runs can share it.

    Args:
      features: the declared features.
      request_features: the encoded request features.
      item_table: the catalogue.
      vocabularies: of the categorical features, for warm starts.
      train_requests: the training split.
      eval_requests: the evaluation split.
      misses: logged items of both splits that the catalogue lacks.
      read_s: seconds that reading took.
    """

    features: FeatureSpec
    request_features: tuple[EncodedFeature, ...]
    item_table: ItemTable
    vocabularies: Vocabularies
    train_requests: Requests
    eval_requests: Requests
    misses: CatalogueMisses
    read_s: float

    @property
    def num_train_requests(self) -> int:
        """Requests of the training split."""
        return len(self.train_requests[CANDIDATE_ITEM])

    @property
    def num_eval_requests(self) -> int:
        """Requests of the evaluation split."""
        return len(self.eval_requests[CANDIDATE_ITEM])


def read_training_data(
    features: FeatureSpec,
    files: TrainingFiles,
    *,
    packed_dir: str | None = None,
    report: Report,
) -> TrainingData:
    """Reads the examples of a training run; `trainer.training.run.train` says what the arguments are.

    Raises:
      ValueError: the examples do not fit the features, or a split is empty.
      PackedRequestsError: the packed requests could not be written.
    """
    start_s = time.monotonic()
    request_transform = tft.TFTransformOutput(files.request_transform_dir)
    item_transform = tft.TFTransformOutput(files.catalogue_transform_dir)
    request_features = encoded_features(request_transform, features.request)
    item_table = read_item_table(files.catalogue_files, encoded_features(item_transform, features.item))
    layout = (features, request_features, item_table.item_ids)
    (train_requests, train_misses), (eval_requests, eval_misses) = (
        read_requests(split, *layout)
        if packed_dir is None
        else packed_requests(packed_dir, name, split, *layout, report=report)
        for name, split in (("training requests", files.train_files), ("evaluation requests", files.eval_files))
    )
    data = TrainingData(
        features=features,
        request_features=request_features,
        item_table=item_table,
        vocabularies=vocabularies(request_transform, features.request, "request")
        | vocabularies(item_transform, features.item, "item"),
        train_requests=train_requests,
        eval_requests=eval_requests,
        misses=train_misses + eval_misses,
        read_s=time.monotonic() - start_s,
    )
    report(
        f"read {data.num_train_requests:,} training and {data.num_eval_requests:,} evaluation requests, "
        f"{item_table.num_items:,} items in {data.read_s:.1f} s"
    )
    if data.misses:
        report(str(data.misses))
    return data
