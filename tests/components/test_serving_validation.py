"""The validator over a real server process with the models of a small candidate release."""

import pytest
import tensorflow as tf
from patience import PATIENCE_S

from components.serving_validator import keras_reference
from components.serving_validator.keras_reference import KerasReference
from components.serving_validator.logged_requests import read_logged_requests
from components.serving_validator.server_process import serve_candidate
from components.serving_validator.validate import Validator
from serving.client.model_client import ModelClient

NUM_REQUESTS = 20
MODELS = ("retrieval", "ranking", "cascade")


@pytest.fixture(scope="module")
def transformed_path(tmp_path_factory):
    return tmp_path_factory.mktemp("requests") / "transformed.gz"


@pytest.fixture(scope="module")
def requests(transformed_data, transformed_path):
    raw = transformed_path.with_name("raw.gz")
    with tf.io.TFRecordWriter(str(raw), "GZIP") as writer:
        for request in transformed_data.eval_requests:
            writer.write(request)
    return read_logged_requests([str(raw)], transformed_data.eval_files, NUM_REQUESTS, transformed_path)


@pytest.fixture(scope="module")
def reference(candidate_dir, requests, transformed_path):
    return KerasReference(str(candidate_dir), str(transformed_path))


@pytest.fixture(scope="module")
def client(candidate_dir, tmp_path_factory):
    served = serve_candidate(candidate_dir / "models", MODELS, tmp_path_factory.mktemp("work"), PATIENCE_S)
    with served as target, ModelClient(target) as client:
        yield client


@pytest.fixture(scope="module")
def validator(candidate_dir, client, reference):
    return Validator(client, candidate_dir / "models", reference, k=10, tolerance=1e-5, timeout_s=PATIENCE_S)


@pytest.fixture(scope="module")
def good(validator, requests):
    return validator.validate(requests)


def test_every_signature_of_a_good_candidate_agrees(good):
    assert good.reasons == ()
    assert good.num_requests == NUM_REQUESTS
    raw = {"retrieval/retrieve", "retrieval/score", "ranking/score", "cascade/recommend"}
    examples = {f"{signature}_examples" for signature in raw}
    assert set(good.differences) == {
        *(f"grpc-python/{signature}" for signature in examples),
        *(f"grpc-keras/{signature}" for signature in examples),
        "grpc-keras/retrieval/retrieve_examples/best",
        *(f"raw-examples/{signature}" for signature in raw),
    }
    assert set(good.latencies_ms) == raw | examples


def test_raw_tensors_that_mean_something_else_are_a_reason(validator, good, requests, monkeypatch):
    # One of three requests without an age suffices. The differences add up to those of the good candidate, all small.
    monkeypatch.setattr(KerasReference, "missing_values", {"age": 20, "device_id": b""})
    names = {reason.split()[0] for reason in validator.validate(requests).reasons}
    assert names >= {"raw-examples/retrieval/score", "raw-examples/ranking/score"}
    assert all(name.startswith("raw-examples/") for name in names)


@pytest.mark.parametrize("stage", ["retrieval", "ranking"])
def test_catalogue_is_scored_in_blocks(stage, reference, transformed_data, monkeypatch):
    item_ids = [b"unknown", *(f"item_{number:02d}".encode() for number in range(60))]
    whole = reference.score(stage, 0, item_ids)
    tower = reference._model.stages[reference.stages.index(stage)]
    sizes = []
    score = tower.score

    def counted(state, row):
        sizes.append(row.shape[1])
        return score(state, row)

    monkeypatch.setattr(tower, "score", counted)
    monkeypatch.setattr(keras_reference, "_ITEMS_PER_BLOCK", 25)
    assert reference.score(stage, 0, item_ids) == pytest.approx(whole, rel=1e-6)
    assert sizes == [25, 25, 11]
