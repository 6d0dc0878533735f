"""Hand-made releases and requests whose metrics can be computed in the head."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

Scores = Mapping[str, Sequence[float]]

DAY_MS = 86_400_000
ITEMS = ("a", "b", "c", "d", "e")
RETRIEVAL = {"u1": (5, 4, 3, 2, 1), "u2": (1, 2, 3, 4, 5)}
RANKING = {"u1": (1, 2, 3, 4, 5), "u2": (9, 8, 7, 6, 5)}


def request(request_id: str, user_id: str, candidates: Mapping[str, int], **features: Any) -> dict[str, Any]:
    """A request example; `candidates` gives the stage of each."""
    return {
        "request_id": request_id,
        "user_id": user_id,
        "request_time_ms": 100 * DAY_MS,
        "candidate_item_id": list(candidates),
        "candidate_stage": list(candidates.values()),
        "candidate_rank": [0] * len(candidates),
        **features,
    }


REQUESTS = (
    request("r1", "u1", {"c": 3, "a": 3, "d": 3, "x": 3, "b": 0}, tab=1),
    request("r2", "u1", {"a": 3, "b": 3, "d": 3, "c": 3}, exclude_item_id=["a"], history_item_id=["a"], tab=2),
    request("r3", "u1", {"a": 1, "b": 0}, tab=2),
    request("r4", "u2", {"d": 3, "e": 2}, history_item_id=["a", "b", "c"]),
)
CATALOGUE = (
    {"item_id": "a", "upload_time_ms": 100 * DAY_MS - 1},
    {"item_id": "b", "upload_time_ms": 98 * DAY_MS},
    {"item_id": "c", "upload_time_ms": 90 * DAY_MS},
    {"item_id": "d", "upload_time_ms": 10 * DAY_MS},
    {"item_id": "e"},
)
TRAIN_REQUESTS = (
    request("t1", "u1", {"a": 3, "b": 3, "c": 2}, request_time_ms=80 * DAY_MS),
    request("t2", "u1", {"b": 3, "c": 3, "d": 2}, request_time_ms=88 * DAY_MS),
    request("t3", "u2", {"b": 3, "c": 3, "d": 2, "e": 0}, request_time_ms=89 * DAY_MS),
    request("t4", "u2", {"d": 2, "c": 3, "x": 3}, request_time_ms=90 * DAY_MS),
)


def feature(values: Sequence[Any]) -> tf.train.Feature:
    if isinstance(values[0], str):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))
    if isinstance(values[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def write_examples(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Writes rows as examples; a scalar is a list of one and an empty list is absent."""
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for row in rows:
            lists = {name: value if isinstance(value, list) else [value] for name, value in row.items()}
            features = {name: feature(value) for name, value in lists.items() if value}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return str(path)


class ToyStage(tf.Module):
    """A stage that looks its scores up: one row of them per user, one column per item."""

    def __init__(
        self,
        item_ids: Sequence[str],
        scores: Scores,
        ignore_exclusions: bool = False,
        user_feature: str = "user_id",
    ) -> None:
        self._item_ids = tf.constant(list(item_ids))
        self._user_feature = user_feature
        self._users = tf.constant(list(scores))
        self._scores = tf.constant(list(scores.values()), tf.float32)
        self._ignore_exclusions = ignore_exclusions

    def _user_scores(self, examples: tf.Tensor) -> tf.Tensor:
        name = self._user_feature
        user = tf.io.parse_example(examples, {name: tf.io.FixedLenFeature([], tf.string)})[name]
        return tf.gather(self._scores, tf.argmax(user[:, None] == self._users, axis=1))

    def _list(self, examples: tf.Tensor, name: str) -> tf.Tensor:
        return tf.io.parse_example(examples, {name: tf.io.RaggedFeature(tf.string)})[name].to_tensor("")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def score_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        same = self._list(examples, "candidate_item_id")[:, :, None] == self._item_ids
        scores = tf.gather(self._user_scores(examples), tf.argmax(same, axis=2), batch_dims=1)
        return {"score": tf.where(tf.reduce_any(same, axis=2), scores, tf.float32.min)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples"), tf.TensorSpec([None], tf.int32, "k")])
    def retrieve_examples(self, examples: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        same = self._item_ids[None, :, None] == self._list(examples, "exclude_item_id")[:, None, :]
        excluded = tf.reduce_any(same, axis=2) & (not self._ignore_exclusions)
        scores = tf.where(excluded, tf.float32.min, self._user_scores(examples))
        best = tf.math.top_k(scores, tf.minimum(tf.reduce_max(k), len(self._item_ids)))
        item_id = tf.gather(self._item_ids, best.indices)
        padding = [[0, 0], [0, tf.reduce_max(k) - tf.shape(item_id)[1]]]
        return {
            "item_id": tf.pad(tf.where(best.values > tf.float32.min, item_id, ""), padding, constant_values=""),
            "score": tf.pad(best.values, padding, constant_values=tf.float32.min),
        }


@pytest.fixture(scope="session")
def write_release(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Writes a candidate release of toy stages and returns its folder."""

    def write(item_ids: Sequence[str], stages: Sequence[tuple[str, int, int | None, Scores]], **options: Any) -> str:
        release = tmp_path_factory.mktemp("release")
        entries = []
        for name, capacity, list_capacity, scores in stages:
            stage = ToyStage(item_ids, scores, **options)
            functions = {"score_examples": stage.score_examples}
            if name == "retrieval":
                functions["retrieve_examples"] = stage.retrieve_examples
            tf.saved_model.save(stage, str(release / "models" / name), signatures=functions)
            entries.append({"name": name, "capacity": capacity, "list_capacity": list_capacity})
        (release / "manifest.json").write_text(json.dumps({"stages": entries, "features": {"ground_truth_stage": 3}}))
        return str(release)

    return write


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[[str, Sequence[Mapping[str, Any]]], str]:
    return lambda name, rows: write_examples(tmp_path / f"{name}.tfrecord.gz", rows)


@pytest.fixture(scope="session")
def two_stage_dir(write_release: Callable[..., str]) -> str:
    """Retrieval passes on 3 of the 5 items, ranking 2."""
    return write_release(ITEMS, [("retrieval", 3, 2, RETRIEVAL), ("ranking", 2, None, RANKING)])


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The files of the hand-made world, as `evaluate` takes them."""
    folder = tmp_path_factory.mktemp("world")
    rows = {"request": REQUESTS, "catalogue": CATALOGUE, "train_request": TRAIN_REQUESTS}
    return {f"{name}_files": [write_examples(folder / f"{name}.tfrecord.gz", each)] for name, each in rows.items()}
