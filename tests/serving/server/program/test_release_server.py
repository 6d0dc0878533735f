import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from patience import PATIENCE_S, wait_until
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.release.files import copy_tree
from serving.release.manifest import Stage
from serving.release.pin_release import pin_release, unpin_release
from serving.release.push import push
from serving.release.rollback import rollback
from serving.release.serving_config import serving_config
from serving.release.store import ReleaseStore
from serving.server.program.release_server import label_watcher, release_server
from serving.server.program.server import ServeError

ROOT = Path(__file__).resolve().parents[4]
STAGES = [Stage("retrieval", 6), Stage("ranking", 4)]
NAMES = ("ranking", "cascade", "retrieval")
SERVE = """
import sys
from serving.server.program.release_server import serve_release_base
serve_release_base(sys.argv[1], port=0, flags=sys.argv[2:])
"""


def served(server):
    """Versions that each model answers with."""
    return [server.available_versions(name) for name in NAMES]


def stays(server, releases):
    """Finds at every call that the server has these releases and no others."""

    def check():
        assert served(server) == [releases] * 3

    return check


def test_serving_config_keeps_two_versions_and_loads_retrieval_last():
    text = serving_config(["ranking", "cascade", "retrieval"], "/srv/models")
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    models = [
        (m.name, m.base_path, m.model_platform, m.model_version_policy.latest.num_versions)
        for m in config.model_config_list.config
    ]
    assert models == [(n, f"/srv/models/{n}", "tensorflow", 2) for n in ("ranking", "cascade", "retrieval")]


def test_serves_the_two_newest_releases(base, cascade_models):
    versions = [push(cascade_models(n), base, stages=STAGES).version for n in (1, 2, 3)]
    with release_server(base, port=0) as server:
        for name in NAMES:
            assert server.available_versions(name)[0] == versions[2]
        wait_until(lambda: served(server) == [[versions[2], versions[1]]] * 3)


PUSHER = """
import os, signal, sys
from serving.release.manifest import Stage
from serving.release.push import push

kill_at, base, *models = sys.argv[1:]
renames = 0

def hook(event, args):
    global renames
    if event == "os.rename" and "/.tmp-" not in str(args[1]):
        renames += 1
        if renames == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
push(dict(pair.split("=") for pair in models), base, stages=[Stage("retrieval", 6), Stage("ranking", 4)])
"""


def kill_push(models, base, before_rename):
    """Kills a push before its n-th rename into place: of ranking, cascade, retrieval, the manifest."""
    arguments = [str(before_rename), str(base), *(f"{name}={path}" for name, path in models.items())]
    pusher = subprocess.run([sys.executable, "-c", PUSHER, *arguments], check=False, cwd=ROOT)
    assert pusher.returncode == -signal.SIGKILL


def test_a_killed_push_is_never_visible(tmp_path, cascade_models, looks):
    first = push(cascade_models(1), tmp_path, stages=STAGES).version
    with release_server(tmp_path, port=0, poll_interval_s=0.02) as server:
        for before_rename in (2, 3, 4):
            kill_push(cascade_models(2), tmp_path, before_rename)
            left = [name for name in NAMES if len(os.listdir(tmp_path / name)) == 2]
            assert left == list(NAMES[: before_rename - 1])
            looks.wait_for_one(stays(server, [first]))
        last = push(cascade_models(3), tmp_path, stages=STAGES).version
        wait_until(lambda: served(server) == [[last, first]] * 3)


def test_the_newest_release_lacks_a_model(tmp_path, cascade_models):
    version = push(cascade_models(1), tmp_path, stages=STAGES).version
    folder = tmp_path / "ranking" / str(version)
    problem, start_timeout_s = "cascade", 1.0
    while re.search("cascade|retrieval", problem) and start_timeout_s < PATIENCE_S:  # a slow machine needs more time
        server = release_server(tmp_path, port=0, start_timeout_s=start_timeout_s)
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(ServeError) as caught:
            server.start()
        problem = str(caught.value)
        start_timeout_s *= 2
        (tmp_path / "elsewhere").rename(folder)
    assert problem.endswith("servable(s) did not become available: ranking (no version found)")
    shutil.rmtree(folder)
    with pytest.raises(ServeError, match=f"Release {version}: {folder}/.* is missing"):
        release_server(tmp_path, port=0)


def damage(base, model, version):
    """Turns a bit of the weights: TensorFlow on its own finds out only when it reads them."""
    (file,) = (base / model / str(version) / "variables").glob("*.index")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_a_damaged_release_is_never_served(tmp_path, cascade_models, looks):
    base, elsewhere = tmp_path / "base", tmp_path / "elsewhere"
    first, second = (push(cascade_models(n), base, stages=STAGES).version for n in (1, 2))
    damage(base, "ranking", second)
    with release_server(base, port=0, poll_interval_s=0.02) as server:
        (elsewhere / "ranking" / str(second)).mkdir(parents=True)  # so that the third is higher
        third = push(cascade_models(3), elsewhere, stages=STAGES).version
        for name in NAMES:  # a copy that lacks a file
            shutil.copytree(elsewhere / name / str(third), base / name / str(third))
        (file,) = (base / "retrieval" / str(third)).glob("variables/*.index")
        lost = file.rename(tmp_path / "lost")
        manifest = f"releases/{third}.json"
        shutil.copy(elsewhere / manifest, base / manifest)
        looks.wait_for_one(stays(server, [first]))
        lost.rename(file)
        wait_until(lambda: served(server) == [[third, first]] * 3)


def test_follows_a_rollback(base, cascade_models):
    first, second = (push(cascade_models(n), base, stages=STAGES).version for n in (1, 2))
    with release_server(base, port=0, poll_interval_s=0.02) as server:
        third = rollback(first, base).version
        wait_until(lambda: served(server) == [[third, second]] * 3)


def test_follows_the_pin_and_its_labels(base, cascade_models, stubs_of):
    versions = [push(cascade_models(n), base, stages=STAGES).version for n in (1, 2, 3)]
    pin_release(base, versions[0])
    with release_server(base, port=0, poll_interval_s=0.02) as server:
        watcher = label_watcher(server, base, 0.02)
        watcher.start()
        stubs = stubs_of(server.target)

        def labelled(label):
            request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
            request.model_spec.name = "ranking"
            request.model_spec.version_label = label
            try:
                return stubs.prediction.GetModelMetadata(request, timeout=PATIENCE_S).model_spec.version.value
            except grpc.RpcError as error:
                return error.code()

        def answers():
            return served(server), labelled("stable"), labelled("canary")

        unknown = grpc.StatusCode.INVALID_ARGUMENT
        try:
            assert answers() == ([[versions[0]]] * 3, versions[0], unknown)
            pin_release(base, versions[0], canary=versions[2])
            both = [[versions[2], versions[0]]] * 3
            wait_until(lambda: answers() == (both, versions[0], versions[2]))
            pin_release(base, versions[2])
            wait_until(lambda: answers() == ([[versions[2]]] * 3, versions[2], unknown))
            unpin_release(base)
            wait_until(lambda: answers() == ([versions[:0:-1]] * 3, unknown, unknown))
        finally:
            watcher.stop()


def test_serves_until_sigterm_and_says_so(tmp_path, cascade_models):
    version = push(cascade_models(1), tmp_path, stages=STAGES).version
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        rest_port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-u", "-c", SERVE, str(tmp_path), f"--rest_api_port={rest_port}", "--enable_batching"],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        assert re.fullmatch(rf"Serving release {version} of {tmp_path} on 127\.0\.0\.1:\d+\n", server.stdout.readline())
        assert server.stdout.readline() == f"REST on 127.0.0.1:{rest_port}\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{rest_port}/v1/models/retrieval") as response:
            (status,) = json.load(response)["model_version_status"]
        assert (status["version"], status["state"]) == (str(version), "AVAILABLE")
        server.send_signal(signal.SIGTERM)
        assert server.stdout.read() == "Stopped\n"
        assert server.wait(PATIENCE_S) == 0
    finally:
        server.kill()
        server.stdout.close()
        server.wait()


def test_a_version_is_served_once_it_has_its_manifest(base, cascade_models, looks):
    first = push(cascade_models(1), base, stages=STAGES).version
    elsewhere = ReleaseStore(base.parent / "elsewhere")
    (elsewhere.base / "ranking" / str(first)).mkdir(parents=True)  # so that the second is higher
    second = push(cascade_models(2), elsewhere.base, stages=STAGES).version
    with release_server(base, port=0, poll_interval_s=0.02) as server:
        for name in NAMES:
            copy_tree(elsewhere.model_path(name, second), base / name / str(second))
        looks.wait_for_one(stays(server, [first]))
        ReleaseStore(base).manifest_path(second).write_text(elsewhere.read(second).to_json())
        wait_until(lambda: served(server) == [[second, first]] * 3)


def test_nothing_to_serve(base):
    with pytest.raises(ServeError, match=f"There is no release folder {base}/none"):
        release_server(base / "none")
    (base / "releases").mkdir(parents=True)
    with pytest.raises(ServeError, match=f"There is no release in {base} yet"):
        release_server(base)
    (base / "releases" / "5.json").write_text("{}")
    with pytest.raises(ServeError, match=r"releases/5.json is no release manifest: missing value for field"):
        release_server(base)


def test_a_path_that_tensorflow_does_not_know():
    with pytest.raises(ServeError, match=r"TensorFlow has no file system nosuch://, only file://, gs://, ram://"):
        release_server("nosuch://bucket/serving")
