import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.losses import CatalogueLossConfig, LossConfig, Ranking
from trainer.data.input import example_batches
from trainer.release.candidate import read_manifest
from trainer.training.finite_loss import DivergedError
from trainer.training.run import train
from trainer.training.train_model import item_log_frequency


@pytest.fixture(scope="module")
def finished(candidate_dir):
    """The run that made `candidate_dir`; its folder, record and lines."""
    folder = candidate_dir.parent
    lines = json.loads((folder / "lines.json").read_text())
    lines = [line for line in lines if not line.startswith("packing ")]  # about its speed, on a slow machine
    return folder, read_manifest(str(candidate_dir)).record, lines


def test_record(finished):
    _, record, _ = finished
    assert (record.num_train_requests, record.num_eval_requests, record.num_items) == (80, 20, 60)
    assert [epoch.epoch for epoch in record.epochs] == [1, 2]
    recalls = [epoch.validation["end_to_end_recall"] for epoch in record.epochs]
    assert record.best_epoch == 1 + int(np.argmax(recalls))
    assert record.epochs[1].train["total_loss"] < record.epochs[0].train["total_loss"]


def test_lines_tell_what_happens(finished, transformed_data):
    requests = transformed_data.train_requests + transformed_data.eval_requests
    folder, record, lines = finished
    text = "\n".join(lines)
    assert [line.partition(" in ")[0] for line in lines[:2]] == [
        "packed 80 training requests",
        "packed 20 evaluation requests",
    ]
    assert lines[2].startswith("read 80 training and 20 evaluation requests, 60 items in ")
    num_history_items, num_candidates = (
        sum(len(tf.train.Example.FromString(request).features.feature[name].bytes_list.value) for request in requests)
        for name in ("history_item_id", "candidate_item_id")
    )
    expected = f"10 of {num_candidates} candidates and 0 of {num_history_items} history items are not in the catalogue"
    assert lines[3] == expected
    assert str(record.catalogue_misses) == expected
    assert f"{record.num_parameters:,}" in text
    assert "epoch 2/2: loss " in text
    assert f"kept epoch {record.best_epoch} of 2: " in text
    assert lines[-1] == f"wrote {folder / 'release'}"


def test_tensorboard_has_the_views_of_the_run(finished):
    folder, record, _ = finished
    train_values, validation_values = (scalars(folder / "logs" / split) for split in ("train", "validation"))
    assert [step for step, _ in validation_values["recall/end_to_end"]] == [5, 10]
    assert validation_values["recall/end_to_end"][-1][1] == pytest.approx(
        record.epochs[-1].validation["end_to_end_recall"]
    )
    groups = {"loss", "loss_weight", "recall", "gradient_norm", "learning_rate", "bound", "speed"}
    assert {tag.partition("/")[0] for tag in train_values} == groups
    rates = [rate for _, rate in train_values["learning_rate"]]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(1e-2 / 10, rel=1e-3)  # of the last of ten steps on the way to zero
    assert scalars(folder / "logs")["final/epoch"] == [(0, record.best_epoch)]
    header, *items = (folder / "logs" / "item_metadata.tsv").read_text().splitlines()
    assert header == "item_id\tground_truth_share\tcategory\tduration_ms\tauthor_id"
    assert {item.split("\t")[2] for item in items} == {f"category_{number}" for number in range(4)} | {"(other)"}


def test_release_is_complete(finished):
    folder, _, _ = finished
    assert sorted(path.name for path in folder.iterdir()) == ["lines.json", "logs", "packed", "release"]
    assert sorted(path.name for path in (folder / "release" / "models").iterdir()) == [
        "cascade",
        "ranking",
        "retrieval",
    ]
    stages = json.loads((folder / "release" / "manifest.json").read_text())["stages"]
    assert stages == [
        {"name": "retrieval", "tower": "two_tower", "capacity": 20, "list_capacity": 4},
        {"name": "ranking", "tower": "din", "capacity": 10, "list_capacity": 3},
    ]


def test_a_run_that_diverges_names_the_requests_of_the_step(transformed_data, candidate_dir, tmp_path):
    manifest = read_manifest(str(candidate_dir))
    loss = LossConfig(Ranking(("softmax_loss",)), catalogue=CatalogueLossConfig(weight=0.0))
    config = dataclasses.replace(manifest.config, loss=loss, learning_rate=1e38)
    folders = {f"{name}_dir": str(tmp_path / name) for name in ("output", "log", "checkpoint")}
    with pytest.raises(DivergedError, match=r"Training diverged: .* at step 2\. .* \(now .*e\+3[78]\)") as caught:
        train(config, manifest.features, transformed_data.training_files, **folders)
    path = Path(re.search(r"The ids of that step's requests are in (.*bad_batch_2\.json)$", str(caught.value))[1])
    source = example_batches(transformed_data.train_files).unbatch()
    ids = [
        tf.train.Example.FromString(record).features.feature["request_id"].bytes_list.value[0].decode()
        for record in source.as_numpy_iterator()
    ]
    order = np.random.default_rng([config.seed, 0]).permutation(80)
    bad_batch = json.loads(path.read_text())
    assert sorted(bad_batch.pop("request_ids")) == sorted(ids[index] for index in order[16:32])
    assert bad_batch == {"epoch": 1, "step": 2}
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    ("positive_weights", "frequency"), [((), [0, 2 / 3, 1 / 3, 0, 0]), ((0.0, 0.5, 1.0), [0, 2 / 5, 2 / 5, 1 / 5, 0])]
)
def test_item_log_frequency_counts_the_positives_of_the_catalogue_terms(positive_weights, frequency):
    requests = {
        "candidate_item": np.array([[1, 2, 3, 4], [1, 2, 0, 0]]),
        "where": np.array([[True, True, True, True], [True, True, False, False]]),
        "ground_truth": np.array([[True, True, False, False], [True, False, False, False]]),
        "labels": np.array([[2.0, 2.0, 1.0, 0.0], [3.0, 1.0, 0.0, 0.0]], np.float32),
    }
    with np.errstate(divide="ignore"):
        expected = np.log(frequency)
    log_frequency = item_log_frequency(requests, 4, CatalogueLossConfig(positive_weights=positive_weights))
    np.testing.assert_allclose(log_frequency, expected)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    values: dict[str, list[tuple[int, float]]] = {}
    for path in folder.glob("*tfevents*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    values.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    return values
