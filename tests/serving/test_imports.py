import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

IMPORT_ALL = """
import importlib, pkgutil, sys

class WithoutTfx:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tfx", "apache_beam"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, WithoutTfx())
try:
    import tfx
except ModuleNotFoundError:
    pass
else:
    sys.exit("tfx was not refused")

for package in ("trainer", "serving"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)
        print(module.name)
"""

LIGHT = """
import sys
import serving.release.push, serving.release.serving_config, serving.signatures
sys.exit([name for name in ("tensorflow", "tfx", "apache_beam") if name in sys.modules] or 0)
"""


def run(script: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )


def test_trainer_and_serving_work_without_tfx():
    result = run(IMPORT_ALL)
    assert result.returncode == 0, result.stderr[-2000:]
    names = set(result.stdout.split())
    assert {"serving.client", "serving.server.program.run", "serving.server.__main__", "serving.release.push"} < names
    assert {"trainer.data.features", "trainer.config.trainer"} < names


def test_pushing_needs_no_tensorflow():
    result = run(LIGHT)
    assert result.returncode == 0, result.stderr
