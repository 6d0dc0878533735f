"""What the executor makes of a server that refuses the candidate, and of one that is slow or gone."""

import contextlib
import shutil
import socket
from pathlib import Path

import pytest
import tensorflow as tf
from patience import PATIENCE_S
from tfx.types import standard_artifacts

from components.artifacts import CandidateRelease
from components.blessing import BLESSED, REASONS, write_blessing
from components.serving_validator import executor
from components.serving_validator.executor import Executor
from serving.client.errors import RecommendTimeoutError, ServerUnavailableError

MARKS = ("INFRA_BLESSED", "INFRA_NOT_BLESSED")


@pytest.fixture
def inputs(artifact, candidate_dir, transformed_data):
    release, evaluation = artifact(CandidateRelease), artifact(standard_artifacts.ModelBlessing)
    write_blessing(evaluation, [], blessed_file="BLESSED", not_blessed_file="NOT_BLESSED")
    shutil.copytree(candidate_dir, release.uri, dirs_exist_ok=True)
    requests, transformed = (artifact(standard_artifacts.Examples, splits=["eval"]) for _ in range(2))
    for examples in (requests, transformed):
        Path(examples.uri, "Split-eval").mkdir()
    with tf.io.TFRecordWriter(f"{requests.uri}/Split-eval/requests.gz", "GZIP") as writer:
        for request in transformed_data.eval_requests:
            writer.write(request)
    for path in transformed_data.eval_files:
        shutil.copy(path, f"{transformed.uri}/Split-eval")
    return {
        "release": release,
        "model_blessing": evaluation,
        "requests": requests,
        "transformed_requests": transformed,
    }


@pytest.fixture
def validate(inputs, artifact, execute):
    """Runs the executor; returns the blessing."""

    def validate(timeout_s):
        blessing = artifact(standard_artifacts.InfraBlessing)
        try:
            execute(Executor, inputs, {"blessing": blessing}, num_requests=2, k=10, tolerance=1e-5, timeout_s=timeout_s)
        finally:
            validate.marks = [mark for mark in MARKS if Path(blessing.uri, mark).exists()]
        return blessing

    return validate


def test_models_that_the_server_refuses_are_not_blessed(validate, inputs):
    Path(inputs["release"].uri, "models", "ranking", "saved_model.pb").write_bytes(b"no model")
    blessing = validate(PATIENCE_S)
    assert validate.marks == ["INFRA_NOT_BLESSED"]
    assert blessing.get_int_custom_property(BLESSED) == 0
    assert "the server ended with exit code 1: " in blessing.get_string_custom_property(REASONS)


@pytest.mark.parametrize(
    ("listens", "error"), [(True, RecommendTimeoutError), (False, ServerUnavailableError)], ids=["slow", "gone"]
)
def test_a_server_that_is_slow_or_gone_is_a_fault_and_no_judgement(validate, monkeypatch, listens, error):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(executor, "serve_candidate", lambda *_: contextlib.nullcontext(target))
        with pytest.raises(error):
            validate(0.5 if listens else PATIENCE_S)
    assert validate.marks == []
