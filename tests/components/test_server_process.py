import pytest
from patience import PATIENCE_S

from components.serving_validator import server_process
from components.serving_validator.server_process import ModelsRefusedError, ServerFailedError, serve_candidate


@pytest.fixture
def models_dir(tmp_path):
    (tmp_path / "models" / "ranking").mkdir(parents=True)
    (tmp_path / "models" / "ranking" / "saved_model.pb").write_bytes(b"no model")
    return tmp_path / "models"


def test_broken_model_is_reported_with_the_end_of_the_log(models_dir, tmp_path):
    with (
        pytest.raises(ModelsRefusedError, match=r"the server ended with exit code 1: .*ranking"),
        serve_candidate(models_dir, ["ranking"], tmp_path / "work", PATIENCE_S),
    ):
        pass


@pytest.mark.parametrize(
    ("what_it_does", "timeout_s", "message"),
    [
        ("kill -9 $$", PATIENCE_S, "the server ended with exit code -9: "),
        ("echo the port is in use; exit 1", PATIENCE_S, "the server ended with exit code 1: the port is in use"),
        (
            "echo ranking did not become available: RESOURCE_EXHAUSTED; exit 1",
            PATIENCE_S,
            "the server ended with exit code 1: ranking did",
        ),
        ("exec sleep 1000", 0.5, r"the server was not ready after 0\.5 s: "),
    ],
    ids=["killed", "port in use", "full", "slow"],
)
def test_a_server_that_ends_for_another_reason_says_nothing_about_the_models(
    models_dir, tmp_path, monkeypatch, what_it_does, timeout_s, message
):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{what_it_does}\n")
    program.chmod(0o755)
    monkeypatch.setattr(server_process.sys, "executable", str(program))
    with (
        pytest.raises(ServerFailedError, match=message),
        serve_candidate(models_dir, ["ranking"], tmp_path / "work", timeout_s),
    ):
        pass
