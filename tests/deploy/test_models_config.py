"""The models.config files in deploy/ are what `lcron releases config` writes."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from pipeline import configs
from serving.release.manifest import Manifest, Stage
from serving.release.pin import Pin
from serving.release.serving_config import serving_config

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
STABLE, CANARY = 1795475801, 1795562201


def parsed(text: str) -> model_server_config_pb2.ModelServerConfig:
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


@pytest.fixture(scope="module")
def demo_models() -> tuple[str, ...]:
    stages = tuple(Stage(stage.name, stage.capacity) for stage in configs.load("demo").trainer.stages)
    checksums = {name: {} for name in [*(stage.name for stage in stages), "cascade"]}
    return Manifest(version=STABLE, stages=stages, checksums=checksums, created_time="").models


def test_the_models_of_the_demo(demo_models):
    config = parsed((DEPLOY / "config" / "models.config").read_text())
    models = [(model.name, model.base_path, model.model_platform) for model in config.model_config_list.config]
    assert models == [
        ("ranking", "/models/ranking", "tensorflow"),
        ("cascade", "/models/cascade", "tensorflow"),
        ("retrieval", "/models/retrieval", "tensorflow"),
    ]
    assert config == parsed(serving_config(demo_models, "/models"))


@pytest.mark.parametrize(
    ("overlay", "base", "pin"),
    [("canary", "/models", Pin(STABLE, CANARY)), ("gcs", "gs://your-bucket/serving", Pin(STABLE))],
)
def test_overlays(demo_models, overlay, base, pin):
    config = parsed((DEPLOY / "kubernetes" / "overlays" / overlay / "models.config").read_text())
    assert config == parsed(serving_config(demo_models, base, pin))
