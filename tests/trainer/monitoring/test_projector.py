import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from trainer.config.towers import Dssm, Mlp
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel
from trainer.monitoring.projector import write_projector

FEATURES = FeatureSpec(history_size=2, list_size=4)
STAGES = (
    StageConfig("retrieval", Dssm(hidden_units=(4,), output_dim=3), 10),
    StageConfig("ranking", Mlp(hidden_units=(4,)), 5),
)


@pytest.fixture(scope="module")
def model():
    table = ItemTable(
        [b"apple", b"pear\tgreen", b"plum", b"fig"],
        np.array([[2, 4], [0, 1], [1, 2], [2, 3], [0, 0]]),
        (EncodedFeature("colour", 3, 2), EncodedFeature("weight", 5, 2)),
    )
    model = CascadeModel(TrainerConfig(stages=STAGES, item_embedding_dim=2), FEATURES, (), table)
    model(empty_batch(FEATURES, ()))
    return model


@pytest.mark.parametrize("max_items", [10, 2])
def test_files_match(model, tmp_path, max_items):
    with np.errstate(divide="ignore"):
        log_frequency = np.log([0.0, 0.25, 0.0, 0.75, 0.0])
    vocabularies = {"item/colour": [b"red", b"blue"], "request/weight": [b"not of items"]}
    write_projector(
        str(tmp_path),
        model,
        item_log_frequency=log_frequency,
        vocabularies=vocabularies,
        max_items=max_items,
    )
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    header, *items = [line.split("\t") for line in (tmp_path / embedding.metadata_path).read_text().splitlines()]
    vectors = np.loadtxt(tmp_path / embedding.tensor_path, delimiter="\t")
    expected = [  # the most frequent first, then in the order of the catalogue
        ["plum", "0.75", "(other)", "3"],
        ["apple", "0.25", "red", "1"],
        ["pear green", "0", "blue", "2"],
        ["fig", "0", "red", "0"],
    ]
    assert header == ["item_id", "ground_truth_share", "colour", "weight"]
    assert items == expected[:max_items]
    np.testing.assert_allclose(
        vectors, model.stages[0].item_vectors(np.array([3, 1, 2, 4], np.int32))[:max_items], rtol=1e-4
    )
