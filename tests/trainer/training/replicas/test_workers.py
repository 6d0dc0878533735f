"""Two processes over loopback train what one does, and what they are told by their chief after an interruption."""

import dataclasses
import json
import socket
from pathlib import Path

import numpy as np
import pytest
from new_process import NewProcess

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.json_text import from_json, to_json
from trainer.config.losses import CatalogueLossConfig, LossConfig
from trainer.config.towers import Dssm, Mlp
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.release.candidate import load_model
from trainer.release.training_record import TrainingRecord
from trainer.training.replicas.strategy import open_strategy
from trainer.training.train_model import train_model

CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", Dssm(hidden_units=(8,), output_dim=4), 20, list_capacity=4),
        StageConfig("ranking", Mlp(hidden_units=(8,)), 10, list_capacity=3),
    ),
    loss=LossConfig(catalogue=CatalogueLossConfig(num_sampled_negatives=16, num_retrieved_negatives=5)),
    item_embedding_dim=4,
    epochs=2,
    batch_size=32,  # the last batch of an epoch has 16 of the 80 requests
    learning_rate=1e-2,
    distribution="multi_worker",
    checkpoints=CheckpointConfig(interval_s=None, interval_steps=1),
)
NAMES = ("output_dir", "log_dir", "checkpoint_dir")


@pytest.fixture(scope="module")
def workers(transformed_data, tmp_path_factory):
    """Folder of both workers' files, and what each tells of its run."""
    folder = tmp_path_factory.mktemp("workers")
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    script, processes = Path(__file__).with_name("worker.py"), []
    for index in range(2):
        arguments = {
            "files": to_json(transformed_data.training_files),
            **{name: str(folder / str(index) / name) for name in NAMES},
            "config": to_json(CONFIG),
            "features": to_json(transformed_data.features),
        }
        (folder / f"{index}.json").write_text(json.dumps(arguments))
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        paths = [str(folder / f"{index}.json"), str(folder / f"record_{index}.json")]
        environment = {"TF_CONFIG": json.dumps(cluster)}
        processes.append(NewProcess(script, paths, folder / f"log_{index}", environment))
    try:
        for index, process in enumerate(processes):
            assert process.wait() == 0, (folder / f"log_{index}").read_text()[-3000:]
    finally:
        for process in processes:
            process.kill()
    told = [json.loads((folder / f"record_{index}.json").read_text()) for index in range(2)]
    return folder, [(from_json(TrainingRecord, each["record"]), each["lines"]) for each in told]


@pytest.fixture(scope="module")
def alone(transformed_data):
    """What comes of a run of one process that is not interrupted, with the draws of any number of replicas."""
    return train_model(
        dataclasses.replace(CONFIG, distribution="mirrored"), transformed_data.training_data(), report=lambda line: None
    )


def test_two_workers_end_with_the_weights_of_one(workers, alone):
    folder, _ = workers
    weights, expected = (
        [weight for stage in model.stages for weight in stage.get_weights()]
        for model in (load_model(str(folder / "0" / "output_dir")), alone.model)
    )
    assert len(weights) == len(expected)
    for value, other in zip(weights, expected, strict=True):
        # Adam makes steps of its rate, 1e-2, even of the rounding in a bias whose true gradient is zero.
        np.testing.assert_allclose(value, other, rtol=1e-3, atol=5e-3)


def test_workers_measure_the_same(workers, alone):
    _, ((chief, _), (other, _)) = workers
    assert [epoch.epoch for epoch in chief.epochs] == [1, 2]
    for mine, theirs, epoch in zip(chief.epochs, other.epochs, alone.state.epochs, strict=True):
        assert mine.validation == theirs.validation
        assert mine.train == theirs.train
        assert mine.validation == pytest.approx(epoch.validation, rel=1e-4)


def test_both_go_on_where_the_chief_was(workers):
    _, ((_, chief), (_, other)) = workers
    lines = [[line for line in each if line.startswith("goes on")] for each in (chief, other)]
    assert lines[0][0].split(",")[0] == lines[1][0]
    assert lines[1][0] in ("goes on at epoch 1 step 3", "goes on at epoch 1 step 4")


def test_the_chief_alone_writes(workers):
    folder, _ = workers
    assert (folder / "0" / "output_dir" / "manifest.json").exists()
    assert (folder / "0" / "log_dir" / "train").exists()
    assert not (folder / "1").exists()


def test_without_a_cluster_there_is_one_clear_error(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match=r"`distribution='multi_worker'` needs the environment variable TF_CONFIG"):
        open_strategy(CONFIG)


def test_there_must_be_as_many_devices():
    with pytest.raises(ValueError, match=r"`num_devices` .* Received: num_devices=64"):
        open_strategy(dataclasses.replace(CONFIG, distribution="mirrored", num_devices=64))


def _free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
