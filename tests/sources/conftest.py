"""One small simulated data set for all tests of the folder."""

from pathlib import Path

import pytest

from sources.simulator import SimulatorConfig, simulate

SMALL_WORLD = SimulatorConfig(
    num_users=30,
    num_items=300,
    num_days=2,
    requests_per_day=60,
    num_categories_level_two=12,
    recall_size=120,
    prerank_size=90,
    coarse_size=60,
    seed=7,
)


@pytest.fixture(scope="session")
def small_world_config() -> SimulatorConfig:
    return SMALL_WORLD


@pytest.fixture(scope="session")
def small_world_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(SMALL_WORLD, tmp_path_factory.mktemp("world") / "data").data_dir
