"""docs/extending.md, applied to a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _apply(diff: str, root: Path) -> None:
    """Replaces the lines of a diff that are there by those that shall be; they stand in the file once."""
    name, *lines = diff.splitlines()
    path = root / name.removeprefix("--- ")
    before, after = ("".join(f"{line[1:]}\n" for line in lines if line[:1] != other) for other in "+-")
    text = path.read_text()
    assert text.count(before) == 1, f"{path.name} must hold once: {before}"
    path.write_text(text.replace(before, after))


def test_the_examples_run(tmp_path):
    for package in ("trainer", "serving"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    trials = []
    for language, block in BLOCK.findall((ROOT / "docs" / "extending.md").read_text()):
        if language == "diff":
            _apply(block, tmp_path)
        elif block.startswith("# "):
            name, text = block.split("\n", 1)
            path = tmp_path / name.removeprefix("# ")
            assert not path.exists()
            path.write_text(text)
        else:
            trials.append(block)
    assert len(trials) == 5
    script = tmp_path / "trials.py"
    script.write_text("\n".join(trials))
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
