import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.losses import ArfV2, LossConfig
from trainer.config.towers import Din, ItemSimilarity, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import EncodedFeature, FeatureSpec, HistoryFeature
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel
from trainer.release.training_record import WarmStartTable
from trainer.release.warm_start import warm_start, write_warm_start

FEATURES = FeatureSpec(history=(HistoryFeature("grade", 3, 2),), history_size=4, list_size=3)
CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", TwoTower(hidden_units=(4,), output_dim=3), 3),
        StageConfig("ranking", Din(hidden_units=(5, 4), attention_units=3), 2),
    ),
    item_embedding_dim=4,
)
OLD_ITEMS, NEW_ITEMS = (b"a", b"b", b"c", b"d"), (b"b", b"d", b"e")
OLD = {"request/user": [b"x", b"y", b"z"], "item/topic": [b"sport"]}
NEW = {"request/user": [b"z", b"w", b"x", b"v"], "item/topic": [b"news", b"sport"]}


def build(items, vocabularies, seed, *, config=CONFIG, request=(("user", 4), ("hour", 2)), items_dim=2) -> CascadeModel:
    """A cascade whose weights are all drawn at random, biases and scales too."""
    sizes = {"user": len(vocabularies["request/user"]) + 1, "hour": 24}
    request_features = tuple(EncodedFeature(name, sizes[name], width) for name, width in request)
    topic = EncodedFeature("topic", len(vocabularies["item/topic"]) + 1, items_dim)
    table = ItemTable(items, np.zeros([len(items) + 1, 1]), (topic,))
    model = CascadeModel(config, FEATURES, request_features, table)
    model(empty_batch(FEATURES, request_features))
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


@pytest.fixture
def old():
    return build(OLD_ITEMS, OLD, seed=1)


@pytest.fixture
def cascade_dir(old, tmp_path):
    write_warm_start(str(tmp_path / "cascade"), old, OLD)
    return str(tmp_path / "cascade")


def tables(stage):
    user, hour = (table.embeddings.numpy() for table in stage.request_encoder.tables)
    (topic,) = (table.embeddings.numpy() for table in stage.item_encoder.tables)
    return {"item": stage.item_encoder.item_embedding.embeddings.numpy(), "user": user, "hour": hour, "topic": topic}


@pytest.mark.parametrize("stage", [0, 1])
def test_rows_follow_their_ids_and_new_ones_stay_as_they_were_made(old, cascade_dir, stage):
    new = build(NEW_ITEMS, NEW, seed=2)
    before, made = tables(old.stages[stage]), tables(new.stages[stage])
    warm_start(new, cascade_dir, NEW)
    after = tables(new.stages[stage])
    item, user, topic = (before[name] for name in ("item", "user", "topic"))
    np.testing.assert_array_equal(after["item"], [item[0], item[2], item[4], made["item"][3]])
    np.testing.assert_array_equal(after["user"], [user[2], made["user"][1], user[0], made["user"][3], user[3]])
    np.testing.assert_array_equal(after["topic"], [made["topic"][0], topic[0], topic[1]])
    np.testing.assert_array_equal(after["hour"], before["hour"])


def test_what_was_kept_is_reported(cascade_dir):
    record = warm_start(build(NEW_ITEMS, NEW, seed=2), cascade_dir, NEW)
    counts = {"item/item_id": (2, 1, 2), "request/user": (2, 2, 1), "item/topic": (1, 1, 0)}
    expected = [
        WarmStartTable(f"{stage}/{name}", *numbers)
        for stage in ("retrieval", "ranking")
        for name, numbers in counts.items()
    ]
    assert sorted(record.tables, key=str) == sorted(expected, key=str)
    assert record.initialized == ()
    assert "ranking/network/event_attention/kernel" in record.kept
    assert "cascade/network/log_variances" in record.kept
    lines = str(record).splitlines()
    assert lines[0] == f"warm start from {cascade_dir}"
    assert lines[1:] == [
        "  item/item_id: 2 rows kept, 1 new, 2 dropped (retrieval, ranking)",
        "  request/user: 2 rows kept, 2 new, 1 dropped (retrieval, ranking)",
        "  item/topic: 1 rows kept, 1 new, 0 dropped (retrieval, ranking)",
        f"  other weights: {len(record.kept)} kept, 0 initialized",
    ]


def test_an_equal_model_scores_as_before(old, cascade_dir):
    new = build(OLD_ITEMS, OLD, seed=2)
    warm_start(new, cascade_dir, OLD)
    batch = {
        "user": tf.constant([0, 3]),
        "hour": tf.constant([5, 6]),
        "history_item": tf.constant([[1, 2, 0, 0], [4, 4, 3, 0]]),
        "history_where": tf.constant([[True, True, False, False], [True, True, True, True]]),
        "history_grade": tf.constant([[0, 1, 0, 0], [2, 2, 1, 0]]),
        "candidate_item": tf.constant([[1, 2, 3], [0, 4, 1]]),
    }
    for before, after in zip(old.score(batch), new.score(batch), strict=True):
        np.testing.assert_array_equal(after, before)


def test_all_that_is_trained_is_kept(old, cascade_dir):
    new = build(OLD_ITEMS, OLD, seed=2)
    warm_start(new, cascade_dir, OLD)
    for before, after in zip(old.trainable_variables, new.trainable_variables, strict=True):
        np.testing.assert_array_equal(after, before)


def test_all_tables_of_items_follow_their_ids(tmp_path):
    retrieval = dataclasses.replace(
        CONFIG.stages[0], tower=ItemSimilarity(CONFIG.stages[0].tower.hidden_units, CONFIG.stages[0].tower.output_dim)
    )
    config = dataclasses.replace(CONFIG, stages=(retrieval, CONFIG.stages[1]))
    old, new = build(OLD_ITEMS, OLD, seed=1, config=config), build(NEW_ITEMS, NEW, seed=2, config=config)
    write_warm_start(str(tmp_path / "cascade"), old, OLD)
    made = {name: table.embeddings.numpy() for name, table in new.stages[0].item_tables.items()}
    record = warm_start(new, str(tmp_path / "cascade"), NEW)
    assert set(made) == {"factors", "history_factors", "bias"}
    for name, table in new.stages[0].item_tables.items():
        before = old.stages[0].item_tables[name].embeddings.numpy()
        np.testing.assert_array_equal(table.embeddings, [before[0], before[2], before[4], made[name][3]])
        assert WarmStartTable(f"retrieval/item/item_id/{name}", 2, 1, 2) in record.tables


def test_networks_over_other_features_start_anew_and_tables_do_not(old, cascade_dir):
    new = build(OLD_ITEMS, OLD, seed=2, request=(("hour", 2), ("user", 4)))
    kernel = new.stages[1].event_attention.kernel.numpy()
    record = warm_start(new, cascade_dir, OLD)
    np.testing.assert_array_equal(new.stages[1].event_attention.kernel, kernel)
    np.testing.assert_array_equal(
        new.stages[1].request_encoder.tables[1].embeddings, tables(old.stages[1])["user"], strict=True
    )
    assert "ranking/network/event_attention/kernel" in record.initialized
    assert "    ranking/network/event_attention/kernel" in str(record).splitlines()
    assert "ranking/request/hour" in record.kept


def test_embeddings_of_another_width_start_anew(cascade_dir):
    new = build(NEW_ITEMS, NEW, seed=2, items_dim=3)
    topic = tables(new.stages[0])["topic"]
    record = warm_start(new, cascade_dir, NEW)
    np.testing.assert_array_equal(tables(new.stages[0])["topic"], topic)
    assert WarmStartTable("retrieval/item/topic", 0, 2, 0) in record.tables


def test_tables_without_ids_keep_their_rows_if_there_are_as_many(old, tmp_path):
    """Those of hashed features: the rows are buckets."""
    new = build(OLD_ITEMS, OLD, seed=2)
    write_warm_start(str(tmp_path / "hashed"), old, {"item/topic": OLD["item/topic"]})
    record = warm_start(new, str(tmp_path / "hashed"), {"item/topic": OLD["item/topic"]})
    np.testing.assert_array_equal(tables(new.stages[0])["user"], tables(old.stages[0])["user"])
    assert "retrieval/request/user" in record.kept
    other = build(OLD_ITEMS, NEW, seed=2)
    assert "retrieval/request/user" in warm_start(other, str(tmp_path / "hashed"), {}).initialized


def test_rows_that_were_ids_and_are_no_more_start_anew(cascade_dir):
    new = build(OLD_ITEMS, OLD, seed=2)
    user = tables(new.stages[0])["user"]
    record = warm_start(new, cascade_dir, {"item/topic": OLD["item/topic"]})
    np.testing.assert_array_equal(tables(new.stages[0])["user"], user)
    assert "retrieval/request/user" in record.initialized


def test_weights_of_another_loss_start_anew(cascade_dir):
    config = dataclasses.replace(
        CONFIG,
        loss=LossConfig(ArfV2()),
        stages=tuple(dataclasses.replace(stage, list_capacity=2) for stage in CONFIG.stages),
    )
    record = warm_start(build(OLD_ITEMS, OLD, seed=2, config=config), cascade_dir, OLD)
    assert record.initialized == ("cascade/network/log_variances",)


def test_folders_without_a_warm_start_are_refused(tmp_path):
    with pytest.raises(ValueError, match=rf"A warm start needs a cascade's SavedModel .* Received: {tmp_path}"):
        warm_start(build(OLD_ITEMS, OLD, seed=1), str(tmp_path), OLD)


def test_damaged_files_are_refused(cascade_dir, tmp_path):
    (tmp_path / "cascade/assets.extra/warm_start/index.json").write_text("{")
    with pytest.raises(ValueError, match=r"The warm start in .*warm_start cannot be read: "):
        warm_start(build(OLD_ITEMS, OLD, seed=1), cascade_dir, OLD)
