from collections.abc import Callable
from pathlib import Path

import pytest

from serving.release.files import AnyPath
from serving.release.manifest import Stage

STAGES = [Stage("retrieval", 200), Stage("prerank", 100), Stage("ranking", 50)]


@pytest.fixture
def write_models(tmp_path: Path) -> Callable[[str], dict[str, Path]]:
    """Writes folders that look like SavedModels: push copies files and never loads them."""

    def write(content: str) -> dict[str, Path]:
        models = {
            name: tmp_path / f"candidate-{content}" / name for name in ("cascade", "ranking", "prerank", "retrieval")
        }
        for name, folder in models.items():
            (folder / "variables").mkdir(parents=True, exist_ok=True)
            (folder / "assets").mkdir(exist_ok=True)
            (folder / "saved_model.pb").write_text(f"{name} {content}")
            (folder / "variables" / "variables.index").write_text(f"{name} index {content}")
        return models

    return write


@pytest.fixture
def rewrite() -> Callable[[AnyPath, str], None]:
    """Puts other content where a file is; `ram://` would append to it."""

    def rewrite(file: AnyPath, text: str) -> None:
        file.unlink(missing_ok=True)
        file.write_text(text)

    return rewrite


@pytest.fixture
def stages() -> list[Stage]:
    return list(STAGES)
