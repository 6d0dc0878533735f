from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keeps the made-up releases of the serving benchmarks, so that they are exported once."""
    return tmp_path_factory.mktemp("work")
