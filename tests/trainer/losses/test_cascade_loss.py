import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.losses import (
    METHODS,
    Arf,
    ArfV2,
    Bce,
    FsLambdaLoss,
    FsRankNet,
    Icc,
    Lcron,
    LossConfig,
    Permutation,
    RankFlow,
    Ranking,
)
from trainer.config.operator_kind import DEFAULT_TEMPERATURES
from trainer.config.towers import Din, Mlp, TwoTower
from trainer.config.trainer import StageConfig
from trainer.losses.arf import arf_loss
from trainer.losses.bce import bce_loss
from trainer.losses.cascade_loss import CascadeLoss
from trainer.losses.fs_lambda_loss import fs_lambda_loss
from trainer.losses.fs_ranknet import fs_ranknet_loss
from trainer.losses.icc import icc_loss
from trainer.losses.lcron import lcron_loss
from trainer.losses.permutation_loss import permutation_loss
from trainer.losses.rank_flow import rank_flow_loss
from trainer.losses.ranking_loss import ranking_loss
from trainer.sorting.fermi_dirac import fermi_dirac
from trainer.sorting.operators import OPERATORS
from trainer.sorting.soft_sort import soft_sort_permutation

STAGES = (
    StageConfig("retrieval", TwoTower(), 40, list_capacity=6),
    StageConfig("prerank", Mlp(), 30, list_capacity=5, min_candidate_stage=1),
    StageConfig("ranking", Din(), 20, list_capacity=3, min_candidate_stage=2),
)
LIST_SIZE, NUM_LISTS = 9, 5


@pytest.fixture(params=[2, 3], ids=["two_stages", "three_stages"])
def stages(request):
    return STAGES[: request.param]


@pytest.fixture
def scores(stages):
    rng = np.random.default_rng(1)
    return [tf.constant(rng.normal(size=[NUM_LISTS, LIST_SIZE]), tf.float32) for _ in stages]


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(2)
    where = np.arange(LIST_SIZE) < np.array([[9], [7], [8], [4], [0]])
    candidate_stage = rng.integers(0, 4, where.shape) * where
    return {
        "where": tf.constant(where),
        "candidate_stage": tf.constant(candidate_stage, tf.int32),
        "ground_truth": tf.constant((candidate_stage == 3) & where),
        "labels": tf.constant(candidate_stage + rng.random(where.shape) * (candidate_stage == 3), tf.float32),
    }


def _per_list(temperature, batch):
    return temperature * np.maximum(batch["where"].numpy().sum(axis=1), 1).astype(np.float32) / 40


def _of_stages(function, scores, *arguments, **keywords):
    return [float(function(each, *arguments, **keywords)) for each in scores]


@pytest.mark.parametrize("use_list_capacities", [False, True])
def test_lcron(stages, scores, batch, use_list_capacities):
    config = Lcron(
        operator="fermi_dirac",
        temperature=20.0,
        use_list_capacities=use_list_capacities,
        negative_weight=3.0,
        epsilon=1e-6,
    )
    loss = CascadeLoss(LossConfig(config), stages)
    loss.log_variances.assign(np.linspace(-1, 1, len(stages)))
    expected = lcron_loss(
        scores,
        batch["ground_truth"],
        where=batch["where"],
        capacities=[stage.list_capacity for stage in stages] if use_list_capacities else None,
        log_variances=tf.constant(np.linspace(-1, 1, len(stages)), tf.float32),
        temperature=20.0,
        operator=fermi_dirac,
        negative_weight=3.0,
        epsilon=1e-6,
    )
    total, terms = loss(scores, batch)
    assert float(total) == pytest.approx(float(expected.total), rel=1e-6)
    assert float(terms["end_to_end_loss"]) == pytest.approx(float(expected.end_to_end), rel=1e-6)
    for index, stage in enumerate(stages):
        assert float(terms[f"{stage.name}_loss"]) == pytest.approx(float(expected.single[index]), rel=1e-6)
    assert float(terms["retrieval_loss_weight"]) == pytest.approx(0.5 * np.e, rel=1e-6)


@pytest.mark.parametrize(("end_to_end", "single"), [(1.0, 0.0), (0.0, 1.0), (2.0, 0.5)])
def test_fixed_weights_of_lcron(stages, scores, batch, end_to_end, single):
    config = Lcron(end_to_end_weight=end_to_end, single_weight=single)
    loss = CascadeLoss(LossConfig(config), stages)
    total, terms = loss(scores, batch)
    expected = end_to_end * terms["end_to_end_loss"] + single * sum(terms[f"{stage.name}_loss"] for stage in stages)
    assert float(total) == pytest.approx(float(expected), rel=1e-6)
    assert not loss.trainable_variables


def test_all_weights_of_lcron_can_be_learned(stages, scores, batch):
    loss = CascadeLoss(LossConfig(Lcron(end_to_end_weight=None)), stages)
    loss.end_to_end_log_variance.assign(0.7)
    with tf.GradientTape() as tape:
        total, terms = loss(scores, batch)
    expected = 0.5 * np.exp(-0.7) * terms["end_to_end_loss"] + 0.35
    expected += sum(0.5 * terms[f"{stage.name}_loss"] for stage in stages)
    assert float(total) == pytest.approx(float(expected), rel=1e-6)
    assert float(terms["end_to_end_loss_weight"]) == pytest.approx(0.5 * np.exp(-0.7), rel=1e-6)
    gradients = tape.gradient(total, [loss.end_to_end_log_variance, loss.log_variances])
    assert float(gradients[0]) == pytest.approx(0.5 - 0.5 * np.exp(-0.7) * float(terms["end_to_end_loss"]), rel=1e-5)
    singles = np.array([terms[f"{stage.name}_loss"] for stage in stages])
    np.testing.assert_allclose(gradients[1], 0.5 - 0.5 * singles, rtol=1e-5)


def test_independent_stages_see_what_reached_them(stages, scores, batch):
    reached = [batch["where"] & (batch["candidate_stage"] >= least) for least in range(len(stages))]
    expected = [
        float(bce_loss(each, batch["ground_truth"], where=where)) for each, where in zip(scores, reached, strict=True)
    ]
    total, terms = CascadeLoss(LossConfig(Bce()), stages)(scores, batch)
    assert float(total) == pytest.approx(sum(expected), rel=1e-6)
    assert [float(terms[f"{stage.name}_loss"]) for stage in stages] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("config", "function", "target", "keywords"),
    [
        (LossConfig(FsRankNet()), fs_ranknet_loss, "candidate_stage", {}),
        (
            LossConfig(FsLambdaLoss(top_n=4, smoothing=0.3)),
            fs_lambda_loss,
            "labels",
            {"top_n": 4, "smoothing": 0.3},
        ),
        (
            LossConfig(FsLambdaLoss(labels="ground_truth")),
            lambda scores, ground_truth, where: fs_lambda_loss(
                scores, tf.cast(ground_truth, tf.float32), where=where, top_n=30, smoothing=0.8
            ),
            "ground_truth",
            {},
        ),
        (
            LossConfig(Permutation("soft_sort", 30.0), reference_list_size=None),
            permutation_loss,
            "labels",
            {"temperature": 30.0, "permutation": soft_sort_permutation},
        ),
        (LossConfig(Ranking()), ranking_loss, "labels", {"key": "approx_ndcg_loss"}),
    ],
    ids=lambda value: value.method.kind if isinstance(value, LossConfig) else "",
)
def test_methods_of_single_stages(stages, scores, batch, config, function, target, keywords):
    expected = _of_stages(function, scores, batch[target], where=batch["where"], **keywords)
    total, terms = CascadeLoss(config, stages)(scores, batch)
    assert float(total) == pytest.approx(sum(expected), rel=1e-6)
    assert [float(terms[f"{stage.name}_loss"]) for stage in stages] == pytest.approx(expected, rel=1e-6)


def test_each_stage_may_have_a_ranking_loss_of_its_own(batch, scores, stages):
    keys = ("softmax_loss", "approx_ndcg_loss", "pairwise_logistic_loss")[: len(stages)]
    _, terms = CascadeLoss(LossConfig(Ranking(keys)), stages)(scores, batch)
    for stage, stage_scores, key in zip(stages, scores, keys, strict=True):
        expected = ranking_loss(stage_scores, batch["labels"], where=batch["where"], key=key)
        assert float(terms[f"{stage.name}_loss"]) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(("method", "version"), [(Arf, 1), (ArfV2, 2)])
def test_arf(stages, scores, batch, method, version):
    loss = CascadeLoss(LossConfig(method(temperature=100.0)), stages)
    log_variances = np.linspace(-0.5, 0.5, len(stages)).astype(np.float32)
    loss.log_variances.assign(log_variances)
    expected = [
        float(
            arf_loss(
                stage_scores,
                batch["labels"],
                batch["ground_truth"],
                where=batch["where"],
                capacity=stage.list_capacity,
                version=version,
                log_variance=log_variance,
                temperature=_per_list(100.0, batch),
            ).total
        )
        for stage, stage_scores, log_variance in zip(stages, scores, log_variances, strict=True)
    ]
    assert float(loss(scores, batch).total) == pytest.approx(sum(expected), rel=1e-5)


def test_methods_of_the_whole_cascade(stages, scores, batch):
    capacities = [stage.list_capacity for stage in stages]
    weights = (1.0, 2.0, 4.0)[: len(stages)]
    icc = CascadeLoss(LossConfig(Icc(0.5, weights, "by_position")), stages)(scores, batch)
    expected = icc_loss(
        scores,
        batch["labels"],
        where=batch["where"],
        capacities=capacities,
        temperature=0.5,
        stage_weights=weights,
        ties="by_position",
    )
    assert float(icc.total) == pytest.approx(float(expected), rel=1e-6)
    rank_flow = CascadeLoss(LossConfig(RankFlow(0.7, 0.3)), stages)(scores, batch)
    expected = rank_flow_loss(
        scores,
        batch["ground_truth"],
        where=batch["where"],
        capacities=capacities,
        distillation_weight=0.7,
        pair_weight=0.3,
    )
    assert float(rank_flow.total) == pytest.approx(float(expected), rel=1e-6)


def _step(loss, scores, batch):
    with tf.GradientTape() as tape:
        tape.watch(scores)
        total, terms = loss(scores, batch)
    return total, terms, tape.gradient(total, scores)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains(stages, scores, batch, method):
    loss = CascadeLoss(LossConfig(METHODS[method]()), stages)
    total, terms, gradients = _step(loss, scores, batch)
    assert np.isfinite(total)
    assert set(terms) == set(loss.term_names)
    for gradient in gradients:
        assert np.isfinite(gradient).all()
        assert (gradient.numpy()[~batch["where"].numpy()] == 0).all()
        assert (gradient.numpy() != 0).any()
    if len(stages) == 2:  # as a third stage only takes the way of the second
        compiled = tf.function(_step, autograph=False)(loss, scores, batch)
        for actual, expected in zip(tf.nest.flatten(compiled), tf.nest.flatten((total, terms, gradients)), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_config_round_trip(stages, scores, batch, method):
    loss = CascadeLoss(LossConfig(METHODS[method]()), stages, seed=3, name="loss")
    restored = CascadeLoss.from_config(loss.get_config())
    assert restored.config == loss.config
    assert restored.stages == loss.stages
    assert restored.get_config() == loss.get_config()
    assert float(restored(scores, batch).total) == float(loss(scores, batch).total)


@pytest.mark.parametrize("stages", [STAGES[:1]], ids=["one_stage"])
@pytest.mark.parametrize("operator", DEFAULT_TEMPERATURES)
def test_every_operator_has_a_temperature_to_start_from(stages, scores, batch, operator):
    epsilon = 1e-6 if operator == "sparse_top_k" else 0.0
    temperature = DEFAULT_TEMPERATURES[operator]
    losses = [
        CascadeLoss(LossConfig(Lcron(operator, given, epsilon=epsilon)), stages)(scores, batch).total
        for given in (None, temperature, 2 * temperature)
    ]
    assert float(losses[0]) == float(losses[1])
    assert float(losses[0]) != float(losses[2])
    assert set(DEFAULT_TEMPERATURES) == set(OPERATORS)


def test_the_temperature_of_neural_sort_is_meant_for_the_reference_list_size(stages, scores, batch):
    full = {name: tensor[:1] for name, tensor in batch.items()}  # nine items, no padding
    scores = [each[:1] for each in scores]
    config = LossConfig(Lcron(temperature=40.0))
    scaled = CascadeLoss(config, stages)(scores, full).total
    absolute = dataclasses.replace(config, reference_list_size=None, method=Lcron(temperature=9.0))
    assert float(scaled) == pytest.approx(float(CascadeLoss(absolute, stages)(scores, full).total), rel=1e-6)


def test_a_random_operator_draws_anew_at_every_step(stages, scores, batch):
    loss = CascadeLoss(LossConfig(Lcron(operator="perturbed_top_k")), stages, seed=5)
    first, again, second = (float(loss(scores, batch, step=step).total) for step in (1, 1, 2))
    assert first == again
    assert first != second
