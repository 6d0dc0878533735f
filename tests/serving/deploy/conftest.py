"""The embedded server with the flags and the very configuration files of deploy/."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

sys.path.insert(0, str(Path(__file__).parents[2] / "deploy"))
sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))

from conformance_server import EMBEDDED, Server
from kustomize import build

from serving.release.manifest import Stage
from serving.release.push import push

KUBERNETES = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
STAGES = (Stage("retrieval", 6), Stage("ranking", 4))


class Deployed:
    """A server with the Deployment's flags over a folder of releases.

    Args:
      server: the running server.
      pod: template of the Deployment.
      base: the folder, which stands for /models.
      config: where /config is.
    """

    def __init__(self, server: Server, pod: dict[str, Any], base: Path, config: Path):
        self.server = server
        self.annotations = pod["metadata"]["annotations"]
        (self.container,) = pod["spec"]["containers"]
        self.base = base
        self._config = config

    def mount(self, config_maps: dict[str, str]) -> None:
        """Mounts the files of ConfigMaps, as a kubelet does: by a link that points to another folder in one rename."""
        mount(config_maps, self._config, self.base)


def mount(config_maps: dict[str, str], config: Path, base: Path) -> None:
    config.mkdir(exist_ok=True)
    folder = config / f"..{len(list(config.iterdir()))}"
    folder.mkdir()
    for file, text in config_maps.items():
        (folder / file).write_text(re.sub('base_path: "/models/', f'base_path: "{base}/', text))
        if not (config / file).is_symlink():
            (config / file).symlink_to(f"..data/{file}")
    link = config / "..data_tmp"
    link.symlink_to(folder.name)
    link.rename(config / "..data")


@pytest.fixture(scope="module")
def config_maps() -> Callable[[str], dict[str, str]]:
    """The files in the ConfigMaps of a kustomization."""
    return lambda folder: {
        file: text
        for item in build(KUBERNETES / folder)
        if item["kind"] == "ConfigMap"
        for file, text in item["data"].items()
    }


@pytest.fixture(scope="module")
def deployed(
    cascade_models: Callable[[int], dict[str, Path]],
    config_maps: Callable[[str], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    """The server of deploy/kubernetes/base with one release, on other ports, in more of a hurry."""
    folder = tmp_path_factory.mktemp("deployed")
    base, config = folder / "base", folder / "config"
    push(cascade_models(1), base, stages=STAGES)
    mount(config_maps("base"), config, base)
    (pod,) = [o["spec"]["template"] for o in build(KUBERNETES / "base") if o["kind"] == "Deployment"]
    (container,) = pod["spec"]["containers"]
    changes = {
        "--port=8500": "--host=127.0.0.1",  # the test server adds its own ports
        "--rest_api_port=8501": "--file_system_poll_wait_seconds=0.1",
        "--model_config_file_poll_wait_seconds=10": "--model_config_file_poll_wait_seconds=1",
    }
    assert set(changes) <= set(container["args"])
    flags = [changes.get(word, word).replace("=/config/", f"={config}/") for word in container["args"]]
    (old,) = [word for word in flags if word.startswith("--grpc_channel_arguments=")]
    ages = {"max_connection_age_ms": 1000, "max_connection_age_grace_ms": round(1000 * PATIENCE_S)}
    assert re.findall(r"grpc\.(\w+)=", old) == list(ages)
    new = ",".join(f"grpc.{name}={value}" for name, value in ages.items())
    flags[flags.index(old)] = f"--grpc_channel_arguments={new}"
    server = Server(EMBEDDED, flags, folder / "server.log")
    try:
        server.wait_until_it_answers()
        yield Deployed(server, pod, base, config)
    finally:
        server.end()
