import pytest

from components.serving_validator.server_process import ServerFailedError, serve_candidate


def test_broken_model_is_reported_with_the_end_of_the_log(tmp_path):
    (tmp_path / "models" / "ranking").mkdir(parents=True)
    (tmp_path / "models" / "ranking" / "saved_model.pb").write_bytes(b"no model")
    with (
        pytest.raises(ServerFailedError, match=r"the server ended with exit code 1: .*ranking"),
        serve_candidate(tmp_path / "models", ["ranking"], tmp_path / "work", timeout_s=300),
    ):
        pass
