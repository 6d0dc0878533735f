import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.artifacts import judging_files, split_files
from components.example_gen.adapters import declare_adapter
from components.example_gen.executor import CatalogueExampleGenExecutor, RequestExampleGenExecutor
from components.example_gen.fingerprint import fingerprint
from sources.reading import DataError

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    folder = tmp_path / "data"
    folder.mkdir()
    for day in DAYS:
        records = ({"request_id": [f"{day}/{i}"], "user_id": [f"u{i % 5}"], "history": []} for i in range(20))
        (folder / f"{day}.requests").write_text("".join(json.dumps(record) + "\n" for record in records))
    items = ({"item_id": [f"i{i}"], "duration": [i]} for i in range(7))
    (folder / "items").write_text("".join(json.dumps(item) + "\n" for item in items))
    return folder


@pytest.fixture
def read_requests(data_dir, artifact, execute):
    def read_requests(splits, **options):
        examples = artifact(standard_artifacts.Examples)
        options = {"data_dir": str(data_dir), **options}
        execute(
            RequestExampleGenExecutor,
            {},
            {"examples": examples},
            adapter=declare_adapter("day_file_adapter.DayFileAdapter", options),
            splits=json.dumps(splits),
            fingerprint=fingerprint(list(data_dir.iterdir())),
            source_hash="",
        )
        return examples

    return read_requests


def _ids(examples, split, name="request_id"):
    files = split_files([examples], split)
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
    return [
        tf.train.Example.FromString(record).features.feature[name].bytes_list.value[0].decode() for record in records
    ]


def test_requests_are_split_by_day_and_shuffled_the_same_each_time(read_requests, data_dir):
    examples = read_requests({"train": DAYS[:2], "test": DAYS[2:]}, drop_user="u3")
    kept = [i for i in range(20) if i % 5 != 3]
    train, test = _ids(examples, "train"), _ids(examples, "test")
    assert sorted(train) == sorted(f"{day}/{i}" for day in DAYS[:2] for i in kept)
    assert sorted(test) == sorted(f"{DAYS[2]}/{i}" for i in kept)
    assert test != sorted(test)
    assert examples.splits == ["train", "test"]
    assert examples.span == 19725  # days from 1970-01-01 to 2024-01-03
    assert examples.version == max(int(file.stat().st_mtime) for file in data_dir.iterdir())
    assert examples.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"
    counts = {
        name: examples.get_int_custom_property(name)
        for name in ("train.num_examples", "train.dropped_user", "test.num_examples", "test.dropped_user")
    }
    assert counts == {
        "train.num_examples": 32,
        "train.dropped_user": 8,
        "test.num_examples": 16,
        "test.dropped_user": 4,
    }
    assert judging_files([examples]) == split_files([examples], "test")

    again = read_requests({"train": DAYS[:2], "test": DAYS[2:]}, drop_user="u3")
    assert (_ids(again, "train"), _ids(again, "test")) == (train, test)


def test_catalogue_is_the_one_split_train(data_dir, artifact, execute):
    examples = artifact(standard_artifacts.Examples)
    execute(
        CatalogueExampleGenExecutor,
        {},
        {"examples": examples},
        adapter=declare_adapter("day_file_adapter.DayFileAdapter", {"data_dir": str(data_dir)}),
        days=json.dumps(DAYS),
        fingerprint=fingerprint(list(data_dir.iterdir())),
        source_hash="",
    )
    assert examples.splits == ["train"]
    assert sorted(_ids(examples, "train", "item_id")) == [f"i{i}" for i in range(7)]


def test_bad_file_is_one_error_that_names_it(read_requests, data_dir):
    with (data_dir / "2024-01-02.requests").open("a") as file:
        file.write("{bad\n")
    message = f"{data_dir}/2024-01-02.requests: line 21 must be JSON. Received: '{{bad'"
    with pytest.raises(DataError) as caught:
        read_requests({"train": DAYS})
    assert str(caught.value) == message


def test_empty_split_is_refused(read_requests, data_dir):
    (data_dir / "2024-01-03.requests").write_text("")
    with pytest.raises(DataError, match=r"The split 'test' must hold at least one example. Received none"):
        read_requests({"train": DAYS[:2], "test": DAYS[2:]})


def test_missing_split(artifact):
    examples = artifact(standard_artifacts.Examples, splits=["train"])
    with pytest.raises(ValueError, match=r"must have the split 'eval'. Received: \['train'\]"):
        split_files([examples], "eval")
    with pytest.raises(ValueError, match=r"must have the split 'test'"):
        judging_files([examples])
