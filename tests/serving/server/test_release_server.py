import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.release.manifest import Stage
from serving.release.push import push
from serving.release.serving_config import serving_config
from serving.server.release_server import release_server
from serving.server.server import ServeError

STAGES = [Stage("retrieval", 6), Stage("ranking", 4)]
SERVE = "import sys; from serving.server.release_server import *; serve_release_base(sys.argv[1], port=0)"


def test_serving_config_keeps_two_versions_and_loads_retrieval_last():
    text = serving_config(["ranking", "cascade", "retrieval"], "/srv/models")
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    models = [
        (m.name, m.base_path, m.model_platform, m.model_version_policy.latest.num_versions)
        for m in config.model_config_list.config
    ]
    assert models == [(n, f"/srv/models/{n}", "tensorflow", 2) for n in ("ranking", "cascade", "retrieval")]


def test_serves_the_two_newest_releases(tmp_path, cascade_models):
    versions = [push(cascade_models(n), tmp_path, stages=STAGES).version for n in (1, 2, 3)]
    with release_server(tmp_path, port=0) as server:
        for name in ("retrieval", "ranking", "cascade"):
            assert server.available_versions(name)[0] == versions[2]
            while server.available_versions(name) != [versions[2], versions[1]]:
                time.sleep(0.02)


def test_serves_until_sigterm_and_says_so(tmp_path, cascade_models):
    version = push(cascade_models(1), tmp_path, stages=STAGES).version
    server = subprocess.Popen(
        [sys.executable, "-u", "-c", SERVE, str(tmp_path)],
        cwd=Path(__file__).resolve().parents[3],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        assert re.fullmatch(rf"Serving release {version} of {tmp_path} on 127\.0\.0\.1:\d+\n", server.stdout.readline())
        server.send_signal(signal.SIGTERM)
        assert server.stdout.read() == "Stopped\n"
        assert server.wait(timeout=10) == 0
    finally:
        server.kill()
        server.stdout.close()
        server.wait()


def test_nothing_to_serve(tmp_path):
    with pytest.raises(ServeError, match=f"There is no release folder {tmp_path}/none"):
        release_server(tmp_path / "none")
    with pytest.raises(ServeError, match=f"There is no release in {tmp_path} yet"):
        release_server(tmp_path)
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "5.json").write_text("{}")
    with pytest.raises(ServeError, match=r"releases/5.json is no release manifest: missing value for field"):
        release_server(tmp_path)
