"""The settings that make `CascadeLoss` do what the public code of LCRON does."""

import dataclasses

import pytest
import tensorflow as tf

from trainer.config.losses import (
    METHODS,
    Bce,
    FsLambdaLoss,
    FsRankNet,
    Icc,
    Lcron,
    LossConfig,
    Permutation,
    RankFlow,
)
from trainer.config.towers import Din, Mlp, TwoTower
from trainer.config.trainer import StageConfig
from trainer.losses.cascade_loss import CascadeLoss

STAGES = {
    2: (StageConfig("retrieval", TwoTower(), 30), StageConfig("ranking", Din(), 20, min_candidate_stage=2)),
    3: (
        StageConfig("retrieval", TwoTower(), 40),
        StageConfig("prerank", Mlp(), 30, min_candidate_stage=1),
        StageConfig("ranking", Din(), 20, min_candidate_stage=3),
    ),
}
FULL_SIZE = pytest.mark.parametrize(
    "reference", ["two_n40_seed0", "two_n40_seed1_scale10", "three_n50_seed0"], indirect=True
)


def _check(reference, key, config, capacities=None, **tolerance):
    stages = STAGES[reference.num_stages]
    if capacities is not None:
        stages = [dataclasses.replace(s, list_capacity=int(q)) for s, q in zip(stages, capacities, strict=True)]
    loss = CascadeLoss(dataclasses.replace(config, reference_list_size=None), stages)
    batch = {
        "where": tf.ones(reference.labels.shape, tf.bool),
        "ground_truth": tf.constant(reference.ground_truth),
        "candidate_stage": tf.constant(reference.candidate_stage, tf.int32),
        "labels": tf.constant(reference.labels, tf.float32),
    }
    reference.check(key, lambda scores: loss(scores, batch).total, **tolerance)


def _arf_capacities(reference):
    return [reference[f"arf_m_{stage}"] for stage in reference.stages]


def test_lcron(reference):
    negative_weight = float(reference["sizes"][-1]) if reference.num_stages == 3 else 1.0
    _check(reference, "lcron", LossConfig(Lcron(negative_weight=negative_weight, epsilon=1e-6)))


@FULL_SIZE
def test_bce(reference):
    _check(reference, "bce", LossConfig(Bce()))


@FULL_SIZE
def test_fs_ranknet(reference):
    _check(reference, "fs_ranknet", LossConfig(FsRankNet()))


def test_fs_lambda_loss(reference):
    config = FsLambdaLoss(int(reference["lambda_topn"]), float(reference["lambda_smooth"]))
    _check(reference, "fs_lambdaloss", LossConfig(config))


def test_icc(reference):
    if reference.num_stages == 2:
        capacities, weights = [reference["icc_k"]] * 2, ()
    else:
        later = reference["icc_k_prerank_and_rank"]
        capacities, weights = [reference["icc_k_retrieval"], later, later], (1.0, 2.0, 4.0)
    config = LossConfig(Icc(1e-3, weights, "by_position"))
    _check(reference, "icc", config, capacities, gradient_tolerance=1e-3)


@FULL_SIZE
def test_rank_flow(reference):
    if reference.num_stages == 2:
        config = LossConfig(RankFlow(0.75, 0.25))
        _check(reference, "rankflow_alpha0.25", config, [30, 10])
    else:
        _check(reference, "rankflow", LossConfig(RankFlow()), [40, 30, 20])


@pytest.mark.parametrize("method", ["arf", "arf_v2"])
def test_arf(reference, method):
    _check(reference, method, LossConfig(METHODS[method](epsilon=1e-6)), _arf_capacities(reference))


def test_permutation(reference):
    config = LossConfig(Permutation(temperature=200.0, epsilon=1e-6))
    _check(reference, "arf_global", config)
