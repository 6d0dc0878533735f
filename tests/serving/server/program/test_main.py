import concurrent.futures
import inspect
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from gate import SIGNATURE, Gate
from patience import PATIENCE_S, wait_until

from serving.server.__main__ import main
from serving.server.models.model_config import (
    ModelConfigError,
    check_model_configs,
    model_config,
    read_model_config_file,
)
from serving.server.program.server import ModelServer, ServeError

REPOSITORY = Path(__file__).resolve().parents[4]


def test_the_program_serves_a_config_file_until_sigterm(tmp_path, half_plus, assorted, add_version, stubs_of):
    add_version(half_plus(2.0), tmp_path / "half", 1)
    add_version(half_plus(3.0), tmp_path / "half", 2)
    add_version(assorted, tmp_path / "assorted", 4)
    (tmp_path / "models.config").write_text(
        f"""
        model_config_list {{
          config {{
            name: "half" base_path: "{tmp_path}/half" model_platform: "tensorflow"
            model_version_policy {{ specific {{ versions: 1 }} }}
          }}
          config {{ name: "assorted" base_path: "{tmp_path}/assorted" model_platform: "tensorflow" }}
        }}
        """
    )
    server = subprocess.Popen(
        [sys.executable, "-m", "serving.server", "--port=0", f"--model_config_file={tmp_path}/models.config"],
        cwd=REPOSITORY,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    try:
        lines = []
        for line in server.stderr:
            lines.append(line)
            running = re.search(r"Running gRPC ModelServer at 0\.0\.0\.0:(\d+)", line)
            if running:
                break
        else:
            pytest.fail("".join(lines))
        stubs = stubs_of(f"127.0.0.1:{running[1]}")
        assert stubs.half(2.0) == (3.0, 1)
        assert stubs.predict("assorted", {"s": np.array([b"x"], object)}).model_spec.version.value == 4

        with Gate(tmp_path / "gate") as gate:
            call = stubs.prediction.Predict.future(stubs.request("assorted", gate.inputs, SIGNATURE))
            gate.wait_for_the_call()
            server.send_signal(signal.SIGTERM)
        # The server waits five seconds for calls, which may not be enough for a slow machine.
        assert call.code() in (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
        assert server.wait(PATIENCE_S) == 0
    finally:
        server.kill()
        server.stderr.close()
        server.wait()


def test_a_program_that_is_terminated_gives_calls_five_seconds(tmp_path, monkeypatch):
    graces, stop = [], ModelServer.stop

    def noted_stop(server, *arguments, **options):
        graces.append(inspect.signature(stop).bind(server, *arguments, **options))
        stop(server, *arguments, **options)

    monkeypatch.setattr(ModelServer, "stop", noted_stop)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        ModelServer([]).run(report_start=lambda: signal.raise_signal(signal.SIGTERM))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    (bound,) = graces
    bound.apply_defaults()
    assert bound.arguments["grace_s"] == 5.0


def test_calls_in_flight_finish_when_the_server_stops(tmp_path, assorted, add_version, stubs_of):
    add_version(assorted, tmp_path / "assorted", 1)
    server = ModelServer([model_config("assorted", tmp_path / "assorted")])
    server.start()
    stubs = stubs_of(server.target)

    def is_refused():
        try:
            stubs.predict("assorted", {"s": np.array([b"x"], object)})
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.UNAVAILABLE
        return False

    with concurrent.futures.ThreadPoolExecutor() as pool, Gate(tmp_path / "gate") as gate:
        call = stubs.prediction.Predict.future(stubs.request("assorted", gate.inputs, SIGNATURE))
        gate.wait_for_the_call()
        assert not is_refused()
        stop = pool.submit(server.stop, grace_s=PATIENCE_S)
        wait_until(is_refused)
        assert not stop.done()
        gate.let_go()
        assert list(call.result().outputs["held"].bool_val) == [True]
        stop.result()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list { nonsense: 1 }", "Invalid protobuf file: '.*models.config'. .*ModelServerConfig: 1:21"),
        ('model_config_list { config { name: "a" base_path: "x" model_platform: "tensorflow" } }', "an absolute path"),
        ("custom_model_config { }", "must hold a `model_config_list`"),
    ],
)
def test_bad_config_files_end_the_program(tmp_path, capsys, text, message):
    (tmp_path / "models.config").write_text(text)
    assert main([f"--model_config_file={tmp_path}/models.config"]) == 1
    error = capsys.readouterr().err
    assert re.match(f"Failed to start server. Error: .*{message}", error), error
    assert error.count("\n") == 1


def test_a_missing_config_file_and_a_broken_model_end_the_program(tmp_path, capsys):
    assert main([f"--model_config_file={tmp_path}/none"]) == 1
    assert "Cannot read the ModelServerConfig file" in capsys.readouterr().err
    (tmp_path / "half" / "1").mkdir(parents=True)
    assert main(["--port=0", f"--model_base_path={tmp_path}/half", "--max_num_load_retries=0"]) == 1
    assert "1 servable(s) did not become available: default (version 1: Could not" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "Both --model_base_path and --model_config_file are empty: one of them is required"),
        (["--model_base_path=/m", "--enable_batching=yes"], "must be true or false. Received: 'yes'"),
        (["--model_base_path=/m", "--port=8500", "--rest_api_port=8500"], "--rest_api_port must be another port"),
        (["--model_base_path=/m", "--file_system_poll_wait_seconds=-1"], "must not be negative. Received: -1"),
        (["--model_base_path=/m", "--prefer_tflite_model"], "--prefer_tflite_model is not supported by this server"),
        (["--model_base_path=/m", "--grpc_channel_arguments=a"], "must be name=value,name=value. Received: 'a'"),
        (["--model_base_path=/m", "--no_such_flag=1"], "unrecognized arguments: --no_such_flag=1"),
        (
            ["--model_base_path=/m", "--batching_parameters_file=/b"],
            "--batching_parameters_file is set without setting --enable_batching to true.",
        ),
        (["--model_base_path=/m", "--port=70000"], "--port must be in 0..65535. Received: 70000"),
    ],
)
def test_bad_flags(capsys, flags, message):
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_port_in_use(tmp_path, half_plus, add_version):
    add_version(half_plus(2.0), tmp_path / "half", 1)
    models = [model_config("half", tmp_path / "half")]
    with ModelServer(models) as server, pytest.raises(ServeError, match=f"Cannot listen on 127.0.0.1:{server.port}"):
        ModelServer(models, port=server.port).start()


def test_a_config_file_without_models_serves_nothing(tmp_path, stubs_of):
    (tmp_path / "models.config").write_text("model_config_list { }")
    with ModelServer(read_model_config_file(tmp_path / "models.config")) as server:
        assert server.port > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "A model of the config list has no name."),
        ({"model_platform": "pytorch"}, "Model half requests unsupported platform pytorch"),
        (
            {"base_path": "models/half"},
            r"have an absolute path or URI; got base_path\(\)=models",
        ),
        ({"model_platform": "", "model_type": 2}, "Illegal setting neither ModelServerConfig::model_type"),
    ],
)
def test_models_that_cannot_be_served(change, message):
    model = model_config("half", "/models/half")
    for field, value in change.items():
        setattr(model, field, value)
    with pytest.raises(ModelConfigError, match=message):
        check_model_configs([model])


def test_a_model_listed_twice():
    with pytest.raises(ModelConfigError, match="Illegal to list model half multiple times in config list"):
        check_model_configs([model_config("half", "/a"), model_config("half", "/b")])
    check_model_configs([model_config("half", "gs://bucket/half")])
