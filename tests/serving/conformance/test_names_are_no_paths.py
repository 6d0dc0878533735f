"""What a request or a configuration names is looked up by that name: no file beside those configured is reached."""

import urllib.parse

import numpy as np
import pytest
from conformance_requests import config_of, fails, half, predict, serve, spec

X = {"x": np.float32([1])}
PATHS = ["hidden", "../hidden", "half/../hidden", "half/../../hidden", "./half", "half/", "half/00000123", "/", ".."]


@pytest.fixture(scope="module")
def hidden(server, put):
    """A model beside those that are served, its absolute path, and the names that would reach it as paths."""
    path = put(server.folder / "hidden", 1, "half_plus", 9.0).parent
    return [*PATHS, str(path), f"{server.folder}/half", f"half\0/../{path.name}"]


def test_model_names_over_grpc(server, hidden):
    for name in hidden:
        code, message = fails(lambda name=name: predict(server, spec(name), X))
        assert (code, message.split(":")[0]) == ("NOT_FOUND", "Servable not found for request"), name
    assert half(server) == (2.0, 123)


@pytest.mark.parametrize("safe", ["", "/"])
def test_model_names_over_rest(server, hidden, safe):
    """Percent-encoded whole, and with slashes and dots as they are."""
    for name in hidden:
        quoted = urllib.parse.quote(name, safe=safe).replace(".", "%2e" if not safe else ".")
        for method, path in (("POST", f"{quoted}:predict"), ("GET", quoted), ("GET", f"{quoted}/metadata")):
            answer = server.rest(method, f"/v1/models/{path}", {"instances": [1.0]} if method == "POST" else None)
            assert answer.status in (400, 404), (method, path, answer.body)
            assert answer.error.startswith(("Servable not found", "Could not find", "Malformed", "Missing")), (
                answer.error
            )


@pytest.mark.parametrize(
    "version", ["1/../../../hidden/1", "..", "%2e%2e%2fhidden", "1%2f..%2f..", "0x7b", "-1", "9" * 5000]
)
def test_versions_over_rest(server, hidden, version):
    answer = server.rest("POST", f"/v1/models/half/versions/{version}:predict", {"instances": [1.0]})
    assert answer.status == 400
    assert answer.error.startswith(("Malformed request", "Failed to convert version")), answer.error


def test_labels_and_signatures(server, hidden):
    for path in hidden:
        code, message = fails(lambda path=path: half(server, label=path))
        assert (code, message) == ("INVALID_ARGUMENT", f"Unrecognized servable version label: {path}")
        code, message = fails(lambda path=path: predict(server, spec("half", signature=path), X))
        assert code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION"), message


def test_a_configuration_names_its_base_paths_and_no_others(changing, put, tmp_path):
    put(tmp_path / "half", 1, "half_plus", 1.0)
    put(tmp_path / "hidden", 1, "half_plus", 9.0)
    name = "../hidden"
    serve(changing, config_of(name, tmp_path / "half"))
    assert predict(changing, spec(name), X).outputs["y"].float_val[0] == 1.5
    code, message = fails(lambda: serve(changing, config_of("half", f"{tmp_path.name}/../hidden")))
    assert code == "INVALID_ARGUMENT"
    assert "to have an absolute path or URI" in message
