import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.losses import METHODS, CatalogueLossConfig, Lcron, LossConfig
from trainer.config.towers import Din, Mlp, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import EncodedFeature, FeatureSpec, HistoryFeature
from trainer.data.item_table import ItemTable
from trainer.losses.lcron import lcron_loss
from trainer.model.cascade_model import CascadeModel

NUM_ITEMS, NUM_TOPICS, NUM_REQUESTS = 60, 4, 256
FEATURES = FeatureSpec(history=(HistoryFeature("grade", 3),), history_size=6, list_size=12)
REQUEST_FEATURES = (EncodedFeature("country", 3, 4),)
STAGES = (
    StageConfig("retrieval", TwoTower(hidden_units=(16,), output_dim=8), 40, list_capacity=8),
    StageConfig("prerank", Mlp(hidden_units=(16,)), 30, list_capacity=5),
    StageConfig("ranking", Din(hidden_units=(16,), attention_units=8), 20, list_capacity=None),
)
CONFIG = TrainerConfig(
    stages=STAGES,
    loss=LossConfig(catalogue=CatalogueLossConfig(num_sampled_negatives=20)),
    item_embedding_dim=8,
    batch_size=32,
    learning_rate=1e-2,
)


@pytest.fixture(scope="module")
def topic():
    return np.random.default_rng(0).integers(0, NUM_TOPICS, NUM_ITEMS + 1)


@pytest.fixture(scope="module")
def requests(topic):
    """Requests that want the items of one topic, which is that of their history."""
    rng = np.random.default_rng(1)
    wanted = rng.integers(0, NUM_TOPICS, [NUM_REQUESTS, 1])
    items = np.arange(1, NUM_ITEMS + 1)
    history = np.stack([rng.choice(items[topic[1:] == t], FEATURES.history_size) for t in wanted[:, 0]])
    history_where = np.arange(FEATURES.history_size) < rng.integers(1, 7, [NUM_REQUESTS, 1])
    where = np.arange(FEATURES.list_size) < rng.integers(6, 13, [NUM_REQUESTS, 1])
    candidates = np.stack([rng.choice(items, FEATURES.list_size, replace=False) for _ in wanted]) * where
    ground_truth = (topic[candidates] == wanted) & where
    return {
        "country": rng.integers(0, 3, NUM_REQUESTS).astype(np.int32),
        "history_item": (history * history_where).astype(np.int32),
        "history_where": history_where,
        "history_grade": rng.integers(0, 3, history.shape).astype(np.int32),
        "candidate_item": candidates.astype(np.int32),
        "candidate_stage": ground_truth.astype(np.int32),
        "where": where,
        "labels": ground_truth.astype(np.float32),
        "ground_truth": ground_truth,
    }


_built = {}


def _model(topic, requests, config=CONFIG, *, knows_frequency=True, run_eagerly=True):
    """A model with the same values each time. Tests of a configuration share it; two at a time have to differ in it."""
    key = config, knows_frequency, run_eagerly
    if key not in _built:
        model = _new_model(topic, requests, config, knows_frequency=knows_frequency, run_eagerly=run_eagerly)
        _built[key] = model, [variable.numpy() for variable in model.training_variables]
    model, values = _built[key]
    for variable, value in zip(model.training_variables, values, strict=True):
        variable.assign(value)
    return model


def _new_model(topic, requests, config=CONFIG, *, knows_frequency=True, run_eagerly=True):
    """Runs operation by operation, which takes less time than to trace a step, unless there are many to take."""
    tf.keras.utils.set_random_seed(5)
    table = ItemTable(
        [b"%d" % item for item in range(NUM_ITEMS)],
        topic[:, np.newaxis],
        (EncodedFeature("topic", NUM_TOPICS, 4),),
    )
    shown = requests["candidate_item"][requests["ground_truth"]]
    with np.errstate(divide="ignore"):
        log_frequency = np.log(np.bincount(shown, minlength=NUM_ITEMS + 1) / len(shown))
    model = CascadeModel(config, FEATURES, REQUEST_FEATURES, table, log_frequency if knows_frequency else None)
    model.compile(run_eagerly=run_eagerly)
    model(next(iter(_batches(requests))))  # builds the weights
    model.prepare_training()  # else Keras traces the training step twice
    return model


def _catalogue(**settings):
    catalogue = dataclasses.replace(CONFIG.loss.catalogue, **settings)
    return dataclasses.replace(CONFIG, loss=LossConfig(catalogue=catalogue))


def _batches(requests, batch_size=32):
    return tf.data.Dataset.from_tensor_slices(requests).batch(batch_size)


def test_training_raises_end_to_end_recall_and_lowers_every_loss(topic, requests):
    model = _model(topic, requests, run_eagerly=False)
    before = model.evaluate(_batches(requests), return_dict=True, verbose=0)
    history = model.fit(_batches(requests), epochs=8, verbose=0).history
    after = model.evaluate(_batches(requests), return_dict=True, verbose=0)
    assert before["end_to_end_recall"] < 0.6
    assert after["end_to_end_recall"] > 0.85
    for name in ("end_to_end_loss", "retrieval_loss", "prerank_loss", "ranking_loss", "retrieval_catalogue_loss"):
        assert after[name] < before[name]
    for stage in STAGES:
        assert after[f"{stage.name}_recall"] > 0.8
        assert after[f"{stage.name}_loss_weight"] > 0.5  # 1 / (2 · loss) in the end, and the loss is below one
    norms = {f"{group}_gradient_norm" for group in ("global", "loss_weights", *(stage.name for stage in STAGES))}
    assert set(history) == set(after) | norms


@pytest.mark.parametrize("optimizer", ["adam", "lazy_adam"])
def test_a_step_tells_the_norms_of_its_gradients(topic, requests, optimizer):
    model = _model(topic, requests, dataclasses.replace(CONFIG, optimizer=optimizer))
    batch = next(iter(_batches(requests)))
    groups = {stage.name: model.stages[index].trainable_variables for index, stage in enumerate(STAGES)}
    groups["loss_weights"] = model.cascade_loss.trainable_variables
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    squares = {
        group: sum(np.sum(tf.convert_to_tensor(gradient).numpy() ** 2) for gradient in gradients)
        for group, gradients in tape.gradient(loss, groups).items()
    }
    squares["global"] = sum(squares.values())
    logs = model.train_step(batch)
    for group, square in squares.items():
        assert square > 0
        assert float(logs[f"{group}_gradient_norm"]) == pytest.approx(np.sqrt(square), rel=1e-5)


def test_losses_add_up(topic, requests):
    model = _model(topic, requests, _catalogue(weight=0.25))
    model.cascade_loss.log_variances.assign([0.5, 0.0, -0.5])
    logs = model.evaluate(_batches(requests, NUM_REQUESTS), return_dict=True, verbose=0)
    expected = logs["end_to_end_loss"]
    for name, log_variance in (("retrieval", 0.5), ("prerank", 0.0), ("ranking", -0.5)):
        assert logs[f"{name}_loss_weight"] == pytest.approx(0.5 * np.exp(-log_variance))
        expected += logs[f"{name}_loss_weight"] * logs[f"{name}_loss"] + 0.5 * log_variance
        expected += 0.25 * logs[f"{name}_catalogue_loss"]
    assert logs["total_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("use_list_capacities", [False, True])
def test_lcron_terms_are_those_of_the_scores(topic, requests, use_list_capacities):
    loss = LossConfig(Lcron(use_list_capacities=use_list_capacities), catalogue=CatalogueLossConfig(weight=0.0))
    model = _model(topic, requests, dataclasses.replace(CONFIG, loss=loss))
    batch = next(iter(_batches(requests)))
    expected = lcron_loss(
        model.score(batch),
        batch["ground_truth"],
        where=batch["where"],
        capacities=[8, 5, None] if use_list_capacities else None,
        temperature=50.0 * batch["where"].numpy().sum(axis=1) / 40,
    )
    assert float(model.compute_loss(batch)) == pytest.approx(float(expected.total), rel=1e-5)
    assert not [metric.name for metric in model.metrics if "catalogue" in metric.name]


def test_both_optimisers_step_their_own_variables(topic, requests):
    config = dataclasses.replace(CONFIG, learning_rate=1e-9, weight_learning_rate=0.1)
    model = _model(topic, requests, config)
    batch = next(iter(_batches(requests)))
    network = model.stages[0].item_network.get_weights()
    model.train_step(batch)
    np.testing.assert_allclose(np.abs(model.cascade_loss.log_variances), [0.1] * 3, rtol=1e-3)  # Adam's first step
    for before, after in zip(network, model.stages[0].item_network.get_weights(), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-7)
    assert model.optimizer.iterations == model.weight_optimizer.iterations == 1


@pytest.mark.parametrize("method", ["bce", "icc", "arf_v2"])
def test_other_methods_train(topic, requests, method):
    stages = (*STAGES[:2], dataclasses.replace(STAGES[2], list_capacity=3))
    loss = LossConfig(METHODS[method](), catalogue=CatalogueLossConfig(weight=0.0))
    model = _model(topic, requests, dataclasses.replace(CONFIG, stages=stages, loss=loss))
    everything = _batches(requests, NUM_REQUESTS)
    before = model.evaluate(everything, return_dict=True, verbose=0)
    model.fit(everything, epochs=4, verbose=0)
    after = model.evaluate(everything, return_dict=True, verbose=0)
    assert after["total_loss"] < before["total_loss"]
    assert after["end_to_end_recall"] > before["end_to_end_recall"]
    assert len(model.cascade_loss.trainable_variables) == (method == "arf_v2")


def test_history_dropout_hides_events_in_training_alone(topic, requests):
    model = _model(topic, requests, dataclasses.replace(CONFIG, history_dropout=0.5))
    plain = _model(topic, requests)
    plain.set_weights(model.get_weights())
    batch = next(iter(_batches(requests)))
    shown, hidden, without = (
        float(each.compute_loss(batch, training=training))
        for each, training in ((model, False), (model, True), (plain, True))
    )
    assert shown == pytest.approx(without, rel=1e-6)
    assert hidden != pytest.approx(without, rel=1e-6)


def test_hidden_events_teach_retrieval(topic, requests):
    config = dataclasses.replace(_catalogue(num_sampled_negatives=None, hidden_event_weight=1.0), history_dropout=0.5)
    without = dataclasses.replace(_catalogue(num_sampled_negatives=None), history_dropout=0.5)
    model, plain = _model(topic, requests, config), _model(topic, requests, without)
    batch = next(iter(_batches(requests)))
    assert float(model.compute_loss(batch)) == pytest.approx(float(plain.compute_loss(batch)), rel=1e-6)
    taught = float(model.compute_loss(batch, training=True))
    assert taught != pytest.approx(float(plain.compute_loss(batch, training=True)), rel=1e-4)


def test_scores_looked_up_in_those_of_the_whole_catalogue_are_the_towers(topic, requests):
    """Stages that add to each other, trained on all items: what the losses see is what the model scores."""
    stages = (STAGES[0], *(dataclasses.replace(stage, adds_to_previous=True) for stage in STAGES[1:]))
    config = dataclasses.replace(_catalogue(num_sampled_negatives=None), stages=stages)
    model = _model(topic, requests, config)
    batch = next(iter(_batches(requests)))
    model.evaluate(_batches(requests, 32).take(1), verbose=0)
    scores = model.score(batch)
    added = [tower(batch) for tower in model.stages]
    for index in range(3):
        np.testing.assert_allclose(scores[index], sum(added[: index + 1]), rtol=1e-5, atol=1e-6)
    expected = lcron_loss(
        scores,
        batch["ground_truth"],
        where=batch["where"],
        temperature=50.0 * batch["where"].numpy().sum(axis=1) / 40,
    )
    assert float(model.loss_means["end_to_end_loss"].result()) == pytest.approx(float(expected.end_to_end), rel=1e-5)


def test_stages_share_no_variables(topic, requests):
    model = _model(topic, requests)
    owned = [{id(variable) for variable in stage.variables} for stage in model.stages]
    assert not owned[0] & owned[1]
    assert not owned[1] & owned[2]
    assert [stage.name for stage in model.stages] == ["retrieval", "prerank", "ranking"]


def test_graded_positives_weigh_as_the_config_says(topic, requests):
    graded = _model(topic, requests, _catalogue(positive_weights=(0.0, 1.0)))
    plain = _model(topic, requests)
    batch = next(iter(_batches(requests)))  # its labels are 1 on the ground truth and 0 elsewhere
    assert float(graded.compute_loss(batch)) == pytest.approx(float(plain.compute_loss(batch)), rel=1e-6)
    batch["labels"] += 1.0
    assert float(graded.compute_loss(batch)) != pytest.approx(float(plain.compute_loss(batch)), rel=1e-3)


def test_a_batch_without_ground_truth_teaches_nothing(topic, requests):
    model = _model(topic, requests)
    batch = next(iter(_batches(requests)))
    batch["ground_truth"] = tf.zeros_like(batch["ground_truth"])
    assert float(model.compute_loss(batch)) == 0
    logs = model.train_step(batch)
    assert all(np.isfinite(value) for value in logs.values())


def test_unknown_frequency(topic, requests):
    model = _model(topic, requests, knows_frequency=False)
    logs = model.train_step(next(iter(_batches(requests))))
    assert np.isfinite(logs["retrieval_catalogue_loss"])


def test_checkpoint_restores_scores_and_training_state(topic, requests, tmp_path):
    model = _model(topic, requests)
    batch = next(iter(_batches(requests)))
    model.train_step(batch)
    model.save_weights(str(tmp_path / "weights"))
    restored = _new_model(np.zeros_like(topic), requests)
    restored.load_weights(str(tmp_path / "weights"))
    for expected, scores in zip(model.score(batch), restored.score(batch), strict=True):
        np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(restored.cascade_loss.log_variances, model.cascade_loss.log_variances)


def test_same_seed_same_model(topic, requests):
    batch = next(iter(_batches(requests)))
    first, second = _new_model(topic, requests), _new_model(topic, requests)
    for model in (first, second):
        model.train_step(batch)
    for scores, expected in zip(first.score(batch), second.score(batch), strict=True):
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-4)
