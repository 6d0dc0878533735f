"""What `benchmarks.train` trains: the paper's two-stage model on made-up requests in RecFlow's layout."""

import dataclasses

import numpy as np

from pipeline.configs import recflow_two_stage
from trainer.config.towers import Din, Dssm
from trainer.config.trainer import OptimizerKind, PrecisionKind, StageConfig, TrainerConfig
from trainer.data.features import EncodedFeature, Feature
from trainer.data.input import Requests
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel

FEATURES = recflow_two_stage.FEATURES
NUM_LEVELS = 4  # stages of the logged lists
ITEMS_PER_AUTHOR = 10
CARDINALITIES = {
    "age": 8,
    "gender": 3,
    "province": 35,
    "request_time_ms_weekday": 7,
    "request_time_ms_hour": 24,
    "category_level_one": 40,
    "category_level_two": 400,
    "upload_type": 20,
    "duration": 16,
    "upload_time_ms": 32,
}


@dataclasses.dataclass(frozen=True)
class World:
    """Sizes of the data and of the training.

    Args:
      num_users: users, each with a device.
      num_items: items of the catalogue, in the lists by Zipf's law.
      num_requests: requests of an epoch.
      batch_size: requests of a step.
      epochs: passes over the requests.
      optimizer: of the network.
      catalogue: whether to train on the catalogue too, which the paper does not.
      precision: of the towers' arithmetic.
      jit_compile: whether XLA compiles the step.
      seed: of everything random.
    """

    num_users: int = 40_000
    num_items: int = 200_000
    num_requests: int = 40_960
    batch_size: int = 1024
    epochs: int = 2
    optimizer: OptimizerKind = "adam"
    catalogue: bool = False
    precision: PrecisionKind = "float32"
    jit_compile: bool = False
    seed: int = 17

    @property
    def config(self) -> TrainerConfig:
        """The towers and their widths are the paper's."""
        trainer = recflow_two_stage.config().trainer
        weight = trainer.loss.catalogue.weight if self.catalogue else 0.0
        retrieval, ranking = trainer.stages
        stages: tuple[StageConfig, ...] = (
            dataclasses.replace(retrieval, tower=Dssm()),
            dataclasses.replace(ranking, tower=Din((128, 128, 32), attention_units=80)),
        )
        return dataclasses.replace(
            trainer,
            stages=stages,
            loss=dataclasses.replace(
                trainer.loss, catalogue=dataclasses.replace(trainer.loss.catalogue, weight=weight)
            ),
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            precision=self.precision,
            jit_compile=self.jit_compile,
            seed=self.seed,
        )

    @property
    def request_features(self) -> tuple[EncodedFeature, ...]:
        """With a vocabulary of users and devices."""
        return self._encoded(FEATURES.request)

    def requests(self, num_requests: int) -> Requests:
        """Returns requests as `trainer.data.input.read_requests` does; a quarter of the histories is short."""
        rng = np.random.default_rng([self.seed, 1])
        history, candidates = (num_requests, FEATURES.history_size), (num_requests, FEATURES.list_size)
        size = np.where(rng.random(num_requests) < 0.25, rng.integers(0, history[1], num_requests), history[1])
        where = np.arange(history[1]) < size[:, np.newaxis]
        place = np.arange(candidates[1])
        stage = NUM_LEVELS - 1 - NUM_LEVELS * place // candidates[1]
        is_best = stage == NUM_LEVELS - 1
        arrays = {f.name: rng.integers(0, f.cardinality, num_requests, np.int32) for f in self.request_features}
        arrays |= {f.example_name: rng.integers(0, f.cardinality, history, np.int32) for f in FEATURES.history}
        return arrays | {
            "history_item": np.where(where, self._items(rng, history), 0),
            "history_where": where,
            "candidate_item": self._items(rng, candidates),
            "candidate_stage": np.broadcast_to(stage, candidates).astype(np.int32),
            "where": np.ones(candidates, bool),
            "labels": np.broadcast_to(stage + is_best * (1 - place / candidates[1]), candidates).astype(np.float32),
            "ground_truth": np.broadcast_to(is_best, candidates).copy(),
        }

    def model(self) -> CascadeModel:
        """Returns the cascade, built and compiled."""
        rng = np.random.default_rng([self.seed, 2])
        features = self._encoded(FEATURES.item)
        encoded = np.stack([rng.integers(0, f.cardinality, self.num_items + 1, np.int32) for f in features], axis=1)
        table = ItemTable(tuple(b"%d" % item for item in range(self.num_items)), encoded, features)
        log_frequency = np.full(self.num_items + 1, -np.log(self.num_items))
        log_frequency[0] = -np.inf
        model = CascadeModel(self.config, FEATURES, self.request_features, table, log_frequency, self.precision)
        model(empty_batch(FEATURES, self.request_features))
        model.compile()
        return model

    def _items(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        """Catalogue rows; the item of rank `r` comes about `1 / r` times as often as the first."""
        return np.minimum(self.num_items ** rng.random(shape), self.num_items).astype(np.int32)

    def _encoded(self, features: tuple[Feature, ...]) -> tuple[EncodedFeature, ...]:
        cardinalities = CARDINALITIES | {
            "user_id": self.num_users,
            "device_id": self.num_users,
            "author_id": -(-self.num_items // ITEMS_PER_AUTHOR),
        }
        return tuple(
            EncodedFeature(name, cardinalities[name] + 1, feature.embedding_dim)
            for feature in features
            for name in feature.encoded_names
        )
