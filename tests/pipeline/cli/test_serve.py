"""`lcron serve`: which server it becomes and what it passes on."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S
from refused import assert_refused

from serving.release.manifest import Stage
from serving.release.pin_release import pin_release
from serving.release.push import push
from serving.release.store import ReleaseStore

ROOT = Path(__file__).resolve().parents[3]
LCRON = (sys.executable, "-c", "from pipeline.cli import main; main()")


@pytest.fixture
def base(tmp_path):
    """A folder with a release of two stages; no server of this file loads it."""
    models = {name: tmp_path / "models" / name for name in ("retrieval", "ranking", "cascade")}
    for folder in models.values():
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(b"")
    push(models, tmp_path / "serving", stages=[Stage("retrieval", 6), Stage("ranking", 4)])
    return tmp_path / "serving"


@pytest.fixture
def stock(tmp_path):
    """A program that says how it was called, under the name of TF Serving."""
    program = tmp_path / "bin" / "tensorflow_model_server"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def serve(*arguments, path=None):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    if path is not None:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    return subprocess.run(
        [*LCRON, "serve", *arguments], capture_output=True, text=True, env=environment, timeout=PATIENCE_S
    )


def test_tf_serving_follows_a_folder_of_releases(base, stock):
    result = serve(
        "--base", str(base), "--port", "8600", "--enable_batching", f"--server=tensorflow_model_server={stock}"
    )
    port, config, flag = result.stdout.splitlines()
    assert (result.returncode, port, flag) == (0, "--port=8600", "--enable_batching")
    text = Path(config.removeprefix("--model_config_file=")).read_text()
    assert text.count("config {") == 3
    assert f'base_path: "{base}/retrieval"' in text


def test_tf_serving_serves_what_is_pinned_and_nothing_that_is_damaged(base, stock, lcron_here):
    (version,) = ReleaseStore(base).versions()
    pin_release(base, version)
    result = serve("--base", str(base), f"--server=tensorflow_model_server={stock}")
    _, config, flag = result.stdout.splitlines()
    assert flag == "--allow_version_labels_for_unavailable_models"
    text = Path(config.removeprefix("--model_config_file=")).read_text()
    assert text.count(f"versions: {version}") == text.count('key: "stable"') == 3
    file = base / "ranking" / str(version) / "saved_model.pb"
    file.unlink()
    result = lcron_here("serve", "--base", str(base), f"--server=tensorflow_model_server={stock}")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == f"lcron: Release {version}: {file} is missing"


def test_tf_serving_is_used_if_it_is_on_the_path(stock):
    flags = ["--model_base_path=/models/half", "--model_name=half", "--rest_api_port=8501"]
    result = serve(*flags, path=stock.parent)
    assert (result.returncode, result.stdout.split()) == (0, ["--port=8500", *flags])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --base, or TF Serving's --model_base_path or --model_config_file"),
        (
            ["--enable_batching"],
            "lcron serve: Both --model_base_path and --model_config_file are empty: one of them is required",
        ),
        (["--model_base_path=/m", "--nonsense=1"], "lcron serve: unrecognized arguments: --nonsense=1"),
        (["--server=apache"], "--server must be embedded or tensorflow_model_server[=PATH]. Received: 'apache'"),
        (["--server=tensorflow_model_server=/no/such"], "--server: there is no program /no/such"),
    ],
)
def test_what_does_not_go(arguments, message, lcron_here):
    assert_refused(lcron_here("serve", *arguments), message)


def test_flags_that_do_not_go_with_a_folder():
    assert_refused(serve("--base", ".", "--model_config_file=x"), "do not go with a folder of releases")


def test_tf_serving_takes_no_host(base, stock, lcron_here):
    server = f"--server=tensorflow_model_server={stock}"
    result = lcron_here("serve", "--base", str(base), "--host=127.0.0.1", server)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"--host: tensorflow_model_server listens on all addresses. Received: --host=127.0.0.1 for {stock}" in (
        result.stderr
    )
    result = serve("--base", str(base), server)
    assert result.stderr == f"{stock} listens on all addresses, port 8500; --server embedded takes a --host\n"


def test_what_is_not_served_is_said(base):
    """The release's models are empty files: it is intact, and cannot be loaded."""
    (version,) = ReleaseStore(base).versions()
    result = serve("--base", str(base), "--port=0", "--rest_api_port=0", "--server=embedded")
    assert result.returncode == 1
    assert f"ERROR Loading servable: {{name: retrieval version: {version}}} failed" in result.stderr
    assert "did not become available" in result.stderr.splitlines()[-1]
    newer = base / "retrieval" / str(version) / "saved_model.pb"
    newer.write_bytes(b"damaged")
    result = serve("--base", str(base), "--port=0", "--server=embedded")
    assert result.returncode == 1
    assert f"Release {version}: {newer}" in result.stderr


def test_the_embedded_server_is_used_if_asked_for(stock):
    result = serve("--server=embedded", "--model_config_file=/no/such", path=stock.parent)
    assert result.returncode == 1
    assert result.stderr.startswith("Failed to start server. Error: Cannot read the ModelServerConfig file /no/such")
