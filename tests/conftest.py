"""A tiny data set through the real Transform, a candidate release trained on it, and where releases are pushed to."""

import dataclasses
import fcntl
import gc
import json
import os
import random
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from serving.release.files import AnyPath, any_path, remove_tree
from trainer.config.json_text import to_json
from trainer.config.losses import CatalogueLossConfig, LossConfig
from trainer.config.towers import Din, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import Categorical, FeatureSpec, Hashed, HistoryFeature, Numeric, Timestamp
from trainer.data.training_files import TrainingFiles

if TYPE_CHECKING:
    from trainer.data.training_data import TrainingData

gc.set_threshold(50_000, 20, 50)  # imports and traces of TensorFlow make millions of objects and hardly any garbage

# A call that a `Gate` holds keeps one of TensorFlow's threads, here or in a server. On one CPU there is only one.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "4")

BuiltOnce = Callable[[str, Callable[[Path], object]], Path]
"""Returns the folder of a name, which the function fills if no process has."""

NUM_ITEMS = 60
NUM_USERS = 20
NUM_CATEGORIES = 4
GROUND_TRUTH_STAGE = 2
START_MS = 1_700_000_000_000

FEATURES = FeatureSpec(
    request=(
        Categorical("user_id", embedding_dim=4),
        Categorical("age", dtype="int64", embedding_dim=2),
        Numeric("activity", num_buckets=4, embedding_dim=2),
        Timestamp("request_time_ms", embedding_dim=2),
        Hashed("device_id", num_buckets=5, embedding_dim=2),
    ),
    item=(
        Categorical("category", embedding_dim=4),
        Numeric("duration_ms", dtype="int64", num_buckets=3, embedding_dim=2),
        Hashed("author_id", dtype="int64", num_buckets=3, embedding_dim=2),
    ),
    history=(HistoryFeature("grade", cardinality=4, embedding_dim=2),),
    history_size=6,
    list_size=8,
    ground_truth_stage=GROUND_TRUTH_STAGE,
)

CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", TwoTower(hidden_units=(8,), output_dim=4), 20, list_capacity=4),
        StageConfig("ranking", Din(hidden_units=(8,), attention_units=4), 10, list_capacity=3),
    ),
    loss=LossConfig(catalogue=CatalogueLossConfig(num_sampled_negatives=16)),
    item_embedding_dim=4,
    epochs=2,
    batch_size=16,
    learning_rate=1e-2,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)  # the longest file first, beside all others


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # modules and tests stay: to search them for garbage again and again is a tenth of all processor time


@pytest.fixture(scope="session", autouse=True)
def _forkserver(request: pytest.FixtureRequest) -> None:
    """Starts the process whose forks tests and commands run in: whoever starts it says what all forks have imported."""
    if len({item.path for item in request.session.items}) > 1:  # a file alone needs no more than it says itself
        forkserver.set_forkserver_preload(["pipeline.pipeline", "pipeline.comparison.trial", "benchmarks.losses.steps"])
        forkserver.ensure_running()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--num-kills", type=int, default=3, help="times that a training run is killed to see it go on")
    parser.addoption("--num-swaps", type=int, default=3, help="releases that come while clients ask")
    parser.addoption("--num-mutations", type=int, default=2000, help="damaged requests to send over each protocol")


@dataclasses.dataclass(frozen=True)
class TransformedData:
    """Raw and transformed examples of the tiny data set, as the pipeline would leave them."""

    features: FeatureSpec
    catalogue: list[bytes]
    train_requests: list[bytes]
    eval_requests: list[bytes]
    request_transform_dir: str
    catalogue_transform_dir: str
    catalogue_files: list[str]
    train_files: list[str]
    eval_files: list[str]

    @property
    def training_files(self) -> TrainingFiles:
        """What `train` reads of it."""
        return TrainingFiles(
            self.request_transform_dir,
            self.catalogue_transform_dir,
            tuple(self.train_files),
            tuple(self.eval_files),
            tuple(self.catalogue_files),
        )

    def training_data(self) -> "TrainingData":
        """What `train_model` takes of it."""
        from trainer.data.training_data import read_training_data

        return read_training_data(self.features, self.training_files, report=lambda line: None)


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> BuiltOnce:
    """Returns a folder that one of pytest's processes builds and the others find: `built_once("name", build)`."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def find_or_build(name: str, build: Callable[[Path], object]) -> Path:
        folder, complete = root / name, root / f"{name}.complete"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                build(folder)
                complete.touch()
        return folder

    return find_or_build


@pytest.fixture(params=["folder", "ram"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyPath]:
    """Where releases go: a folder, or TensorFlow's file system in memory, which `tf.io.gfile` reaches like a bucket."""
    if request.param == "folder":
        yield tmp_path / "base"
        return
    bucket = any_path(f"ram://{uuid.uuid4().hex}")
    yield bucket / "serving"
    remove_tree(bucket)


@pytest.fixture(scope="session")
def transformed_data(built_once: BuiltOnce) -> TransformedData:
    """A hundred requests and sixty items, analysed and transformed by TensorFlow Transform."""
    source = random.Random(1)
    catalogue = [_example(_item(number, source)) for number in range(NUM_ITEMS)]
    requests = [_example(_request(number, source)) for number in range(100)]
    train, evaluation = requests[:80], requests[80:]
    folder = built_once("transformed", lambda folder: _transform_all(folder, catalogue, train, evaluation))
    catalogue_files, train_files, eval_files = (
        sorted(str(path) for path in (folder / data).glob(f"{split}-*.gz"))
        for data, split in (("catalogue", "all"), ("requests", "train"), ("requests", "eval"))
    )
    return TransformedData(
        features=FEATURES,
        catalogue=catalogue,
        train_requests=train,
        eval_requests=evaluation,
        request_transform_dir=str(folder / "requests"),
        catalogue_transform_dir=str(folder / "catalogue"),
        catalogue_files=catalogue_files,
        train_files=train_files,
        eval_files=eval_files,
    )


def _transform_all(
    folder: Path, catalogue: Sequence[bytes], train: Sequence[bytes], evaluation: Sequence[bytes]
) -> None:
    import tensorflow as tf

    from trainer.data.preprocessing import catalogue_preprocessing_fn, request_preprocessing_fn

    scalar = tf.io.FixedLenFeature([], tf.string)
    catalogue_spec = {
        "item_id": scalar,
        "category": tf.io.VarLenFeature(tf.string),
        "duration_ms": tf.io.FixedLenFeature([1], tf.int64),
        "author_id": tf.io.VarLenFeature(tf.int64),
    }
    request_spec = {
        "request_id": scalar,
        "user_id": scalar,
        "request_time_ms": tf.io.FixedLenFeature([1], tf.int64),
        "age": tf.io.VarLenFeature(tf.int64),
        "activity": tf.io.VarLenFeature(tf.float32),
        "device_id": tf.io.VarLenFeature(tf.string),
        **{name: tf.io.VarLenFeature(tf.string) for name in ("history_item_id", "candidate_item_id")},
        **{name: tf.io.VarLenFeature(tf.int64) for name in ("history_grade", "candidate_stage", "candidate_rank")},
    }
    _transform(catalogue_preprocessing_fn, catalogue_spec, folder / "catalogue", {"all": catalogue}, FEATURES)
    splits = {"train": train, "eval": evaluation}
    _transform(request_preprocessing_fn, request_spec, folder / "requests", splits, FEATURES)


@pytest.fixture(scope="session")
def candidate_dir(transformed_data: TransformedData, built_once: BuiltOnce) -> Path:
    """A tiny trained candidate release of the stages `retrieval` (20 items) and `ranking` (10 items); left as it is.

    Beside it are the run's `logs`, its `packed` requests and, in `lines.json`, what it reported.
    """

    def build(folder: Path) -> None:
        from trainer.training.run import train

        lines: list[str] = []
        train(
            CONFIG,
            FEATURES,
            transformed_data.training_files,
            output_dir=str(folder / "release"),
            log_dir=str(folder / "logs"),
            packed_dir=str(folder / "packed"),
            report=lines.append,
        )
        (folder / "lines.json").write_text(json.dumps(lines))

    return built_once("candidate", build) / "release"


@pytest.fixture(scope="session")
def candidate_requests(transformed_data: TransformedData) -> list[bytes]:
    """Twenty raw request examples for the models of `candidate_dir`, serialized."""
    return transformed_data.eval_requests


def _item(number: int, source: random.Random) -> dict[str, list]:
    item = {"item_id": [f"item_{number:02d}"], "duration_ms": [source.randrange(5_000, 60_000)]}
    if number == 7:
        return item
    return {**item, "category": [f"category_{number % NUM_CATEGORIES}"], "author_id": [number % 8]}


def _request(number: int, source: random.Random) -> dict[str, list]:
    """A user likes the items of one category; the last logged stage holds some of them."""
    user = source.randrange(NUM_USERS)
    liked = [f"item_{item:02d}" for item in range(user % NUM_CATEGORIES, NUM_ITEMS, NUM_CATEGORIES)]
    others = [f"item_{item:02d}" for item in range(NUM_ITEMS) if f"item_{item:02d}" not in liked]
    history = source.sample(liked, source.randrange(0, 9))
    stages = [GROUND_TRUTH_STAGE] * 2 + [1] * 3 + [0] * source.randrange(1, 5)
    candidates = source.sample(liked, 2) + source.sample(others, len(stages) - 2)
    if number % 10 == 0:
        candidates[-1] = "unknown_item"
    logged = list(zip(candidates, stages, [1, 2, 1, 2, 3] + [0] * (len(stages) - 5), strict=True))
    source.shuffle(logged)
    request: dict[str, list] = {
        "request_id": [f"request_{number}"],
        "user_id": [f"user_{user}"],
        "request_time_ms": [START_MS + number * 3_600_000],
        "activity": [source.uniform(0, 10)],
        "candidate_item_id": [item for item, _, _ in logged],
        "candidate_stage": [stage for _, stage, _ in logged],
        "candidate_rank": [rank for _, _, rank in logged],
        "exclude_item_id": history[:2],
        "history_item_id": history,
        "history_grade": [source.randrange(4) for _ in history],
    }
    if number % 7:
        request["age"] = [20 + user % 5]
    if number % 9:
        request["device_id"] = [f"device_{number % 13}"]
    return request


def _example(values: Mapping[str, list]) -> bytes:
    import tensorflow as tf

    feature = {}
    for name, value in values.items():
        if value and isinstance(value[0], str):
            feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode() for text in value]))
        elif value and isinstance(value[0], float):
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        elif value:
            feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def _transform(
    preprocessing_fn: Callable,
    spec: Mapping[str, Any],
    folder: Path,
    splits: Mapping[str, Sequence[bytes]],
    features: FeatureSpec,
) -> None:
    """Analyses the first split and transforms all, in the way of the Transform component."""
    import apache_beam as beam
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform import TFTransformOutput
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder
    from tfx_bsl.public import tfxio

    schema = schema_utils.schema_from_feature_spec(spec)
    source = tfxio.TFExampleBeamRecord(schema=schema, physical_format="inmem")
    metadata = source.TensorAdapterConfig()
    custom_config = {"features": to_json(features)}
    first, *_ = splits
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(folder / "temp")):
        raw = {
            split: pipeline | f"create_{split}" >> beam.Create(examples) | f"decode_{split}" >> source.BeamSource()
            for split, examples in splits.items()
        }
        transform_fn = (raw[first], metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, custom_config)
        )
        transform_fn | tft_beam.WriteTransformFn(str(folder))
        for split, batches in raw.items():
            data, _ = ((batches, metadata), transform_fn) | f"transform_{split}" >> tft_beam.TransformDataset(
                output_record_batches=True
            )
            (
                data
                | f"encode_{split}" >> beam.FlatMapTuple(lambda batch, _: RecordBatchToExamplesEncoder().encode(batch))
                | f"write_{split}" >> beam.io.WriteToTFRecord(str(folder / split), file_name_suffix=".gz")
            )
    raw_metadata_dir = str(folder / TFTransformOutput.RAW_METADATA_DIR)
    metadata_io.write_metadata(dataset_metadata.DatasetMetadata(schema), raw_metadata_dir)
