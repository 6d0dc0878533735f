"""The compose file: valid by the Compose specification, and as the Kubernetes manifests have it."""

import importlib.metadata
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from kustomize import build, containers

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
API_VERSION = importlib.metadata.version("tensorflow-serving-api")
FILE = DEPLOY / "compose" / "compose.yaml"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text())["services"]


@pytest.fixture(scope="module")
def container() -> dict[str, Any]:
    (container,) = containers(build(DEPLOY / "kubernetes" / "base"))
    return container


def test_schema():
    schema = get_builtin_schema("vendor.compose-spec")
    text = FILE.read_text()
    jsonschema.validate(yaml.safe_load(text), schema)
    with pytest.raises(jsonschema.ValidationError, match="'restarts' was unexpected"):
        jsonschema.validate(yaml.safe_load(text.replace("restart:", "restarts:", 1)), schema)


def test_the_server_is_started_as_in_kubernetes(services, container):
    server = services["tensorflow-serving"]
    assert server["image"] == container["image"] == f"tensorflow/serving:{API_VERSION}"
    command = [
        argument.replace("${LCRON_CPUS:-2}", container["resources"]["limits"]["cpu"]) for argument in server["command"]
    ]
    assert (server["entrypoint"], command) == (container["command"], container["args"])
    assert server["deploy"]["resources"]["limits"]["cpus"] == "${LCRON_CPUS:-2}"
    assert server["init"] is True  # as process 1 the server would ignore SIGTERM


def test_ports_are_published_on_the_loopback_interface(services):
    ports = [port for service in services.values() for port in service["ports"]]
    assert sorted(port.rpartition(":")[2] for port in ports) == ["8500", "8501", "9090"]
    assert all(port.startswith("${LCRON_HOST:-127.0.0.1}:") for port in ports)


def test_what_is_mounted_exists_and_is_read_only(services):
    mounts = [m for service in services.values() for m in service["volumes"] if isinstance(m, dict)]
    assert [m["target"] for m in mounts] == ["/models", "/config", "/etc/prometheus/prometheus.yml"]
    for mount in mounts:
        assert mount["type"] == "bind"
        assert mount["read_only"] is True
        assert mount["bind"] == {"create_host_path": False}  # a wrong path is an error and no empty folder
    base, config, prometheus = (mount["source"] for mount in mounts)
    assert base.startswith("${LCRON_BASE:?")
    assert (FILE.parent / re.fullmatch(r"\$\{LCRON_CONFIG:-(.*)\}", config)[1]).resolve() == DEPLOY / "config"
    assert (FILE.parent / prometheus).is_file()


def test_files_of_the_flags_are_in_the_mounted_folder(services):
    named = re.findall(r"_file=/config/(\S+)", " ".join(services["tensorflow-serving"]["command"]))
    assert sorted(named) == ["batching.config", "models.config", "monitoring.config"]
    assert all((DEPLOY / "config" / name).is_file() for name in named)


def test_prometheus_scrapes_the_server(services):
    (job,) = yaml.safe_load((FILE.parent / "prometheus.yml").read_text())["scrape_configs"]
    name, port = job["static_configs"][0]["targets"][0].split(":")
    assert f"--rest_api_port={port}" in services[name]["command"]
    assert f'path: "{job["metrics_path"]}"' in (DEPLOY / "config" / "monitoring.config").read_text()
