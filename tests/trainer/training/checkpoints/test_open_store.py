import dataclasses

import pytest

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.index import IndexConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.training.checkpoints.open_store import open_store

CONFIG, FEATURES = TrainerConfig(), FeatureSpec()


@pytest.fixture
def opened(tmp_path):
    def opened(
        config=CONFIG, features=FEATURES, cardinality=5, content=b"a", source_hash="s", report=lambda line: None
    ):
        path = tmp_path / "requests.gz"
        path.write_bytes(content)
        store = open_store(
            str(tmp_path / "checkpoints"),
            config,
            features,
            encoded_features=[EncodedFeature("user", cardinality, 4)],
            files={"requests": [str(path)]},
            source_hash=source_hash,
            report=report,
        )
        return store.folder

    return opened


@pytest.mark.parametrize(
    "change",
    [
        {"config": TrainerConfig(seed=18)},
        {"features": FeatureSpec(history_size=7)},
        {"cardinality": 6},
        {"content": b"b"},
        {"source_hash": "t"},
    ],
)
def test_whatever_changes_what_is_learned_makes_another_run(opened, change):
    assert opened(**change) != opened()


@pytest.mark.parametrize(
    "change",
    [{"checkpoints": CheckpointConfig(interval_steps=3, num_kept=5)}, {"index": IndexConfig("ivf", filters=("tag",))}],
)
def test_what_changes_nothing_of_it_does_not(opened, change):
    assert opened(config=dataclasses.replace(CONFIG, **change)) == opened()


def test_a_run_that_starts_anew_is_told_why(opened, tmp_path):
    opened()
    lines: list[str] = []
    opened(content=b"b", source_hash="t", report=lines.append)
    expected = (
        f"starts anew: the last checkpoints in {tmp_path}/checkpoints are of another run, other in requests, source"
    )
    assert lines == [expected]
