"""What the serving benchmarks serve and ask: releases of random weights, made by the project's own export."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf import saved_model_pb2

from serving import signatures
from serving.client import Request
from serving.client.call import predict
from serving.client.request_features import RequestFeatures, with_candidates
from serving.release.manifest import Stage
from trainer.config.index import IndexConfig, IndexKind
from trainer.config.json_text import to_json
from trainer.config.towers import Din, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import Categorical, EncodedFeature, FeatureSpec, Hashed, HistoryFeature, Timestamp
from trainer.data.item_lookup import write_item_ids
from trainer.data.item_table import ItemTable
from trainer.data.preprocessing import encoded_features, request_preprocessing_fn
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel
from trainer.release.export.export_models import export_models
from trainer.release.export.retrieval_index import RetrievalIndex

FEATURES = FeatureSpec(
    request=(
        Hashed("user_id", num_buckets=4096),
        Hashed("device_id", num_buckets=4096),
        Categorical("age", dtype="int64"),
        Categorical("province", dtype="int64"),
        Timestamp("request_time_ms"),
    ),
    item=(Categorical("category", dtype="int64"),),
    history=(HistoryFeature("completion", 4),),
    history_size=50,
    list_size=40,
    ground_truth_stage=3,
)
CONFIG = TrainerConfig(
    stages=(
        # The last entry of an item's vector is its bias, so vectors have 64.
        StageConfig("retrieval", TwoTower(output_dim=63), capacity=200),
        StageConfig("ranking", Din(), capacity=50),
    )
)
STAGES = tuple(Stage(stage.name, stage.capacity) for stage in CONFIG.stages)
NUM_CATEGORIES = 100
NUM_RETRIEVED = 100
START_MS = 1_700_000_000_000
_SCALARS = {"age": 8, "province": 35}


@dataclasses.dataclass(frozen=True)
class ServingWorld:
    """A catalogue and the requests for it.

    Args:
      num_items: of the catalogue; retrieval has a vector of 64 floats for each.
      index: kind of the search.
      num_requests: different ones that clients ask in turn; half of the histories are full.
      seed: of everything random.
    """

    num_items: int
    index: IndexKind = "exact"
    num_requests: int = 64
    seed: int = 17

    def requests(self) -> list[Request]:
        """Returns the requests, the same every time."""
        rng = np.random.default_rng([self.seed, 1])
        requests = []
        for number in range(self.num_requests):
            size = FEATURES.history_size if number % 2 else int(rng.integers(FEATURES.history_size))
            history = {
                "item_id": [_item_id(row).decode() for row in rng.integers(1, self.num_items + 1, size)],
                "completion": rng.integers(0, 4, size).tolist(),
            }
            context: dict[str, str | int | float] = {name: int(rng.integers(limit)) for name, limit in _SCALARS.items()}
            context |= {"device_id": f"device_{number}", "request_time_ms": START_MS + number * 3_600_000}
            k = STAGES[-1].capacity
            requests.append(Request(f"user_{number}", context, history, k, request_id=f"request_{number}"))
        return requests

    def write_models(self, folder: Path, num_releases: int = 1) -> list[dict[str, Path]]:
        """Exports releases, each of other weights, unless the folder holds them already.

        Args:
          folder: to write into.
          num_releases: how many.

        Returns:
          The folders of the SavedModels by name, for each release.
        """
        names = [*(stage.name for stage in STAGES), signatures.CASCADE]
        releases = [folder / f"{self.num_items}_{self.index}_{self.seed + n}" for n in range(num_releases)]
        for number, release in enumerate(releases):
            if not release.is_dir():
                partial = release.with_suffix(".partial")
                self._export(partial, self._transform(folder / "transform"), self.seed + number)
                partial.rename(release)
        return [{name: release / name for name in names} for release in releases]

    def _export(self, folder: Path, transform_dir: Path, seed: int) -> None:
        tf.keras.utils.set_random_seed(seed)
        rng = np.random.default_rng([seed, 2])
        request_features = encoded_features(tft.TFTransformOutput(str(transform_dir)), FEATURES.request)
        category = rng.integers(0, NUM_CATEGORIES, (self.num_items + 1, 1), np.int32)
        item_ids = tuple(_item_id(row) for row in range(1, self.num_items + 1))
        table = ItemTable(item_ids, category, (EncodedFeature("category", NUM_CATEGORIES, 8),))
        config = dataclasses.replace(CONFIG, index=IndexConfig(self.index))
        model = CascadeModel(config, FEATURES, request_features, table)
        model(empty_batch(FEATURES, request_features))
        folder.mkdir(parents=True, exist_ok=True)
        item_ids_path = str(folder / "item_ids.txt")
        write_item_ids(item_ids, item_ids_path)
        export_models(
            model,
            RetrievalIndex(model),
            request_transform_dir=str(transform_dir),
            item_ids_path=item_ids_path,
            models_dir=str(folder),
        )

    def _transform(self, folder: Path) -> Path:
        """Has Transform analyse the requests, as the pipeline does."""
        if folder.is_dir():
            return folder
        import apache_beam as beam
        import tensorflow_transform.beam as tft_beam
        from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

        spec: dict[str, tf.io.VarLenFeature | tf.io.FixedLenFeature] = {
            feature.name: tf.io.FixedLenFeature([], tf.as_dtype(feature.dtype)) for feature in FEATURES.request
        }
        spec["request_id"] = tf.io.FixedLenFeature([], tf.string)
        rows = [
            {**request.context, "user_id": request.user, "request_id": request.request_id}
            for request in dataclasses.replace(self, num_requests=200).requests()
        ]
        metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
        preprocess = functools.partial(request_preprocessing_fn, custom_config={"features": to_json(FEATURES)})
        partial = folder.with_suffix(".partial")
        with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(partial / "temp")):
            analysed = (pipeline | beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(preprocess)
            analysed | tft_beam.WriteTransformFn(str(partial))
        metadata_io.write_metadata(metadata, str(partial / tft.TFTransformOutput.RAW_METADATA_DIR))
        return partial.rename(folder)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a signature is asked, one request after the other.

    Args:
      model: that has it.
      signature: its name.
      rows: by request, the inputs of a batch of one.
    """

    model: str
    signature: str
    rows: Sequence[dict[str, np.ndarray]]

    def batch(self, size: int, start: int) -> dict[str, np.ndarray]:
        """Returns the inputs of `size` requests, the first of them number `start`, in one batch."""
        rows = [self.rows[(start + number) % len(self.rows)] for number in range(size)]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    def messages(self) -> list[bytes]:
        """Returns each request as a serialized PredictRequest."""
        calls = [predict(self.model, self.signature, row, end_s=0) for row in self.rows]
        return [call.request.SerializeToString() for call in calls]


def signature_inputs(world: ServingWorld, models: dict[str, Path]) -> dict[str, Inputs]:
    """Returns what is asked, in the form that the project's client sends: serialized examples.

    Args:
      world: whose requests.
      models: folders of the release's SavedModels.

    Returns:
      By kind of call: `"retrieval"` of 100 items, `"candidates"` as the client asks them for ranking, `"ranking"` of
      200 candidates, and the `"cascade"`.
    """
    rng = np.random.default_rng([world.seed, 3])
    graph = saved_model_pb2.SavedModel.FromString((models[signatures.RETRIEVAL] / "saved_model.pb").read_bytes())
    features = RequestFeatures(graph.meta_graphs[0].signature_def[signatures.RETRIEVE])
    examples = [features.example(request) for request in world.requests()]
    num_candidates = STAGES[0].capacity
    candidates = rng.integers(1, world.num_items + 1, (len(examples), num_candidates))
    lists = [with_candidates(e, map(_item_id, rows)) for e, rows in zip(examples, candidates, strict=True)]

    def searching(model: str, signature: str, k: int) -> Inputs:
        sizes = np.array([k], np.int32)
        return Inputs(model, signature, [{**_serialized(example), signatures.K: sizes} for example in examples])

    retrieve = signatures.RETRIEVAL, signatures.RETRIEVE_EXAMPLES
    return {
        "retrieval": searching(*retrieve, NUM_RETRIEVED),
        "candidates": searching(*retrieve, num_candidates),
        "ranking": Inputs(STAGES[1].name, signatures.SCORE_EXAMPLES, [_serialized(example) for example in lists]),
        "cascade": searching(signatures.CASCADE, signatures.RECOMMEND_EXAMPLES, STAGES[-1].capacity),
    }


def _serialized(example: tf.train.Example) -> dict[str, np.ndarray]:
    return {signatures.EXAMPLES: np.array([example.SerializeToString()], object)}


def _item_id(row: int) -> bytes:
    return b"item_%d" % row
