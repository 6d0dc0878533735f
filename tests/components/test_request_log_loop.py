"""From a served release to its next day of training: serve, log, join feedback, read as the pipeline does."""

import datetime
import json
import shutil

import pytest
import tensorflow as tf
from patience import PATIENCE_S
from tfx.types import standard_artifacts

from components.artifacts import split_files
from components.example_gen.adapters import declare_adapter, load_adapter
from components.example_gen.executor import CatalogueExampleGenExecutor, RequestExampleGenExecutor
from components.example_gen.fingerprint import fingerprint
from pipeline.refresh_catalogue import refresh_catalogue
from serving.client import ClientConfig, RecommenderClient, Request
from serving.release.manifest import Stage
from serving.release.push import push
from serving.release.store import ReleaseStore
from serving.request_log import RequestLog
from serving.server.program.release_server import release_server
from sources.request_log import RequestLogAdapter

STAGES = (Stage("retrieval", 20), Stage("ranking", 10))
NUM_REQUESTS = 8
NUM_DELIVERED = 4
TIME_MS = 1_705_111_200_000
DAY = "2024-01-13"


@pytest.fixture(scope="module")
def served(candidate_dir, transformed_data, tmp_path_factory):
    """The folder of a served and logged day, and what the callers received."""
    folder = tmp_path_factory.mktemp("served")
    models = {name: candidate_dir / "models" / name for name in ("retrieval", "ranking", "cascade")}
    push(models, folder / "base", stages=STAGES)
    requests = [
        Request(
            f"user_{number}",
            {"age": 23, "activity": 1.5, "request_time_ms": TIME_MS + number},
            {"item_id": ["item_03"], "grade": [2]},
            k=NUM_DELIVERED,
            exclude=["item_05"],
        )
        for number in range(NUM_REQUESTS)
    ]
    data_dir = folder / "data"
    with (
        release_server(folder / "base", port=0) as server,
        RequestLog(data_dir / "requests") as log,
        RecommenderClient(server.target, ClientConfig(STAGES, deadline_s=PATIENCE_S), request_log=log) as client,
    ):
        answers = client.recommend_batch(requests)
    (data_dir / "feedback" / DAY).mkdir(parents=True)
    likes = ({"request_id": a.request_id, "item_id": a.item_ids[2], "label": 1.0} for a in answers)
    (data_dir / "feedback" / DAY / "likes.jsonl").write_text("".join(json.dumps(like) + "\n" for like in likes))
    (data_dir / "catalogue").mkdir()
    items = (_item(example) for example in transformed_data.catalogue)
    (data_dir / "catalogue" / f"{DAY}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    return data_dir, {answer.request_id: answer for answer in answers}


def _item(example: bytes) -> dict[str, str | int]:
    values = _values(example)
    return {name: value.decode() if isinstance(value, bytes) else value for name, (value,) in values.items()}


def _values(example: bytes) -> dict[str, list]:
    features = tf.train.Example.FromString(example).features.feature
    return {name: list(getattr(value, value.WhichOneof("kind")).value) for name, value in features.items()}


def _read(examples, split: str) -> list[dict[str, list]]:
    records = tf.data.TFRecordDataset(split_files([examples], split), "GZIP").as_numpy_iterator()
    return [_values(record) for record in records]


def test_served_requests_become_examples_of_a_new_day(served, artifact, execute):
    data_dir, answers = served
    declaration = declare_adapter("request_log", {"data_dir": str(data_dir)})
    adapter = load_adapter(declaration)
    assert adapter.days() == (DAY,)
    shared = {"adapter": declaration, "fingerprint": fingerprint(adapter.files([DAY])), "source_hash": ""}

    requests = artifact(standard_artifacts.Examples)
    execute(RequestExampleGenExecutor, {}, {"examples": requests}, splits=json.dumps({"train": [DAY]}), **shared)
    examples = _read(requests, "train")
    assert {example["request_id"][0].decode() for example in examples} == set(answers)
    assert requests.span == (datetime.date.fromisoformat(DAY) - datetime.date(1970, 1, 1)).days
    for example in examples:
        delivered = answers[example["request_id"][0].decode()].item_ids
        wanted = delivered.pop(2)
        item_ids = [item_id.decode() for item_id in example["candidate_item_id"]]
        assert item_ids[:NUM_DELIVERED] == [wanted, *delivered]
        # Ranking kept ten and four were delivered; retrieval kept twenty, ten of which ranking did not keep.
        assert example["candidate_stage"] == [3] + [2] * 3 + [1] * 6 + [0] * 10
        assert example["candidate_rank"][:10] == [1, 1, 2, 4, *range(5, 11)]
        assert len(set(item_ids)) == 20
        assert "item_05" not in item_ids
        assert (example["age"], example["activity"]) == ([23], [1.5])
        assert (example["history_item_id"], example["history_grade"]) == ([b"item_03"], [2])
        assert example["exclude_item_id"] == [b"item_05"]
        assert example["request_time_ms"][0] - TIME_MS == int(example["user_id"][0].removeprefix(b"user_"))
        assert "release" not in example

    catalogue = artifact(standard_artifacts.Examples)
    execute(CatalogueExampleGenExecutor, {}, {"examples": catalogue}, days=json.dumps([DAY]), **shared)
    items = {example["item_id"][0]: example for example in _read(catalogue, "train")}
    assert len(items) == 60
    assert items[b"item_11"]["category"] == [b"category_3"]
    assert "category" not in items[b"item_07"]


def test_a_refresh_takes_the_catalogue_of_a_day_without_feedback(served, tmp_path):
    data_dir, _ = served
    for name in ("base", "data"):
        shutil.copytree(data_dir.parent / name, tmp_path / name)
    *kept, _, _ = (tmp_path / "data" / "catalogue" / f"{DAY}.jsonl").read_text().splitlines()
    added = {"item_id": "new_1", "category": "category_1", "duration_ms": 9_000, "author_id": 1}
    (tmp_path / "data" / "catalogue" / "2024-01-14.jsonl").write_text("\n".join([*kept, json.dumps(added)]))
    store = ReleaseStore(tmp_path / "base")
    (version,) = store.versions()
    manifest, refreshed = refresh_catalogue(store, version, RequestLogAdapter(tmp_path / "data"), 0.5)
    assert (refreshed.num_kept, refreshed.num_new, refreshed.num_gone) == (58, 1, 2)
    assert (manifest.refresh_of, store.versions()) == (version, [version, manifest.version])
