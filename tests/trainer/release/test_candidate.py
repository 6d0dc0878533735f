import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.towers import Dcn, Mlp, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import FeatureSpec
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel
from trainer.release.candidate import load_model, read_manifest, write_candidate
from trainer.release.refresh.material import RefreshMaterial, read_material

FEATURES = FeatureSpec(history_size=4, list_size=5)
CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", TwoTower(hidden_units=(4,), output_dim=3), 8),
        StageConfig("preranking", Mlp(hidden_units=(4,)), 5),
        StageConfig("ranking", Dcn(hidden_units=(4,)), 3),
    )
)
ITEM_IDS = tuple(f"i{number}".encode() for number in range(12))


def material(config, transformed_data):
    return RefreshMaterial(
        config,
        FEATURES,
        (),
        transformed_data.request_transform_dir,
        transformed_data.catalogue_transform_dir,
        ITEM_IDS,
        {name: values.numpy() for name, values in empty_batch(FEATURES, ()).items()},
    )


@pytest.fixture(scope="module")
def three_stage_dir(tmp_path_factory, transformed_data, candidate_dir):
    """A release of three stages whose requests and items have no features."""
    tf.keras.utils.set_random_seed(3)
    model = CascadeModel(CONFIG, FEATURES, (), ItemTable(ITEM_IDS, np.zeros([13, 0]), ()))
    model(empty_batch(FEATURES, ()))
    folder = tmp_path_factory.mktemp("three_stages")
    write_candidate(
        str(folder),
        model,
        material=material(CONFIG, transformed_data),
        vocabularies={},
        record=read_manifest(str(candidate_dir)).record,
    )
    return folder


def test_three_stages_without_features(three_stage_dir):
    cascade = tf.saved_model.load(str(three_stage_dir / "models" / "cascade")).signatures["recommend"]
    history = tf.constant([["i3", "i4"], ["", ""]])
    answer = cascade(history_item_id=history, exclude_item_id=tf.constant([["i1"], [""]]), k=tf.constant([3, 2]))

    model = load_model(str(three_stage_dir))
    batch = {
        "history_item": tf.constant([[4, 5, 0, 0], [0, 0, 0, 0]]),
        "history_where": tf.constant([[True, True, False, False], [False] * 4]),
    }
    rows = tf.tile(tf.range(1, 13)[tf.newaxis], [2, 1])
    scores = [stage.score(stage.encode_request(batch), rows).numpy() for stage in model.stages]
    for index, k in enumerate([3, 2]):
        left = [row for row in range(12) if not (index == 0 and row == 1)]
        for stage_scores, capacity in zip(scores, (8, 5, 3), strict=True):
            left = sorted(left, key=lambda row: -stage_scores[index, row])[:capacity]
        left = left[:k]
        assert answer["item_id"].numpy()[index, :k].tolist() == [ITEM_IDS[row] for row in left]
        np.testing.assert_allclose(answer["score"][index, :k], scores[-1][index, left], rtol=1e-5)


def test_loaded_model_has_the_weights(three_stage_dir):
    tf.keras.utils.set_random_seed(3)
    written = CascadeModel(CONFIG, FEATURES, (), ItemTable(ITEM_IDS, np.zeros([13, 0]), ()))
    written(empty_batch(FEATURES, ()))
    tf.keras.utils.set_random_seed(4)
    loaded = load_model(str(three_stage_dir))
    assert loaded.config == CONFIG
    assert loaded.features == FEATURES
    assert loaded.item_table.item_ids == ITEM_IDS
    for before, after in zip(written.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_manifest(candidate_dir):
    manifest = read_manifest(str(candidate_dir))
    assert [(stage.name, stage.capacity) for stage in manifest.stages] == [("retrieval", 20), ("ranking", 10)]
    assert manifest.tensorflow_version == tf.__version__
    assert json.loads((candidate_dir / "manifest.json").read_text())["config"]["batch_size"] == 16


def test_a_folder_that_holds_something_is_refused(tmp_path, candidate_dir, transformed_data):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"The candidate release needs an empty folder. Received: "):
        write_candidate(
            str(tmp_path),
            load_model(str(candidate_dir)),
            material=material(CONFIG, transformed_data),
            vocabularies={},
            record=read_manifest(str(candidate_dir)).record,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_failed_export_leaves_nothing(tmp_path, candidate_dir, transformed_data):
    with pytest.raises(OSError, match=r"nowhere"):
        write_candidate(
            str(tmp_path / "release"),
            load_model(str(candidate_dir)),
            material=dataclasses.replace(
                material(CONFIG, transformed_data), request_transform_dir=str(tmp_path / "nowhere")
            ),
            vocabularies={},
            record=read_manifest(str(candidate_dir)).record,
        )
    assert list(tmp_path.iterdir()) == []


def test_damaged_releases_are_refused(tmp_path, candidate_dir):
    with pytest.raises(ValueError, match=r"The candidate release has no readable .*manifest\.json"):
        load_model(str(tmp_path))
    shutil.copytree(candidate_dir, tmp_path / "release")
    (tmp_path / "release" / "checkpoint" / "weights.index").unlink()
    with pytest.raises(ValueError, match=r"The checkpoint .* cannot be read"):
        load_model(str(tmp_path / "release"))
    (tmp_path / "release" / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"CandidateManifest must be JSON text"):
        load_model(str(tmp_path / "release"))


def read_material_of(folder):
    return read_material(f"{folder}/models/cascade")


@pytest.mark.parametrize(
    ("found", "way"), [(1, "Train again with this version of lcron"), (9, "Install a newer version of lcron")]
)
@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("manifest.json", read_manifest),
        (
            "models/cascade/assets.extra/refresh/declaration.json",
            read_material_of,
        ),
    ],
)
def test_another_format_is_refused_and_says_what_to_do(tmp_path, candidate_dir, path, read, found, way):
    folder = tmp_path / "release"
    shutil.copytree(candidate_dir, folder)
    text = (folder / path).read_text().replace('"format": 2', f'"format": {found}')
    (folder / path).write_text(text)
    with pytest.raises(ValueError, match=rf"`format` must be 2\. Received: format={found}\. {way}"):
        read(str(folder))
