import dataclasses
import re

import pytest

from trainer.config.losses import (
    CatalogueLossConfig,
    Icc,
    Lcron,
    LossConfig,
    RankFlow,
    Ranking,
)
from trainer.config.towers import Din, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig

RETRIEVAL = StageConfig("retrieval", TwoTower(), 30)
RANKING = StageConfig("ranking", Din(), 20)
NO_CATALOGUE = CatalogueLossConfig(weight=0.0)
IN_LISTS = (
    StageConfig("retrieval", TwoTower(), 30, list_capacity=30),
    StageConfig("ranking", Din(), 20, list_capacity=20),
)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: StageConfig("ranking", "tree", 5),
            "`tower` must be a tower with its settings, such as `Din()`. Received: tower='tree'",
        ),
        (lambda: StageConfig("ranking", Din(), 0), "`capacity` must be positive. Received: capacity=0"),
        (
            lambda: StageConfig("ranking", Din(), 5, list_capacity=0),
            "`list_capacity` must be positive. Received: list_capacity=0",
        ),
        (
            lambda: StageConfig("ranking", Din(hidden_units=()), 5),
            "`hidden_units` must be positive widths. Received: hidden_units=()",
        ),
        (lambda: TrainerConfig(patience=0), "`patience` must be positive. Received: patience=0"),
        (
            lambda: TrainerConfig(patience=2, kept_epoch="last"),
            "`patience` must be `None` where `kept_epoch` is 'last'. Received: patience=2",
        ),
        (lambda: TrainerConfig((RETRIEVAL,)), "`stages` must hold at least two stages. Received: ['retrieval']"),
        (
            lambda: TrainerConfig((RETRIEVAL, RETRIEVAL)),
            "`stages` must have distinct names other than 'cascade'. Received: ['retrieval', 'retrieval']",
        ),
        (
            lambda: TrainerConfig((RANKING, RETRIEVAL)),
            "The first stage must be named 'retrieval' and be one of ['two_tower', 'dssm', 'item_similarity']. "
            "Received: 'ranking', 'din'",
        ),
        (
            lambda: TrainerConfig((dataclasses.replace(RETRIEVAL, adds_to_previous=True), RANKING)),
            "`adds_to_previous` must be false for the first stage. Received: adds_to_previous=True",
        ),
        (
            lambda: CatalogueLossConfig(hidden_event_weight=1.0),
            "`hidden_event_weight` must be 0 unless `num_sampled_negatives` is None, the whole catalogue. "
            "Received: hidden_event_weight=1.0",
        ),
        (
            lambda: TrainerConfig((RETRIEVAL, StageConfig("ranking", Din(), 40))),
            "Stage capacities must not grow along the funnel. Received: [30, 40]",
        ),
        (lambda: TrainerConfig(learning_rate=0.0), "`learning_rate` must be positive. Received: learning_rate=0.0"),
        (
            lambda: TrainerConfig(learning_rate=float("nan")),
            "`learning_rate` must be positive. Received: learning_rate=nan",
        ),
        (
            lambda: TrainerConfig(history_dropout=1.0),
            "`history_dropout` must be in [0, 1). Received: history_dropout=1.0",
        ),
        (
            lambda: StageConfig("ranking", Din(), 5, min_candidate_stage=-1),
            "`min_candidate_stage` must not be negative. Received: min_candidate_stage=-1",
        ),
        (
            lambda: TrainerConfig((RETRIEVAL, RANKING), LossConfig(RankFlow())),
            "`list_capacity` of every stage must be set for the method 'rank_flow'. "
            "Received: list_capacity=None of 'retrieval'",
        ),
        (
            lambda: TrainerConfig(IN_LISTS, LossConfig(Icc(stage_weights=(1.0,)))),
            "`stage_weights` must be one per stage. Received: stage_weights=(1.0,)",
        ),
        (
            lambda: TrainerConfig(IN_LISTS, LossConfig(Ranking(("softmax_loss",) * 3))),
            "`keys` must be one, or one per stage. Received: keys=('softmax_loss', 'softmax_loss', 'softmax_loss')",
        ),
        (
            lambda: TrainerConfig(
                IN_LISTS, LossConfig(Lcron(end_to_end_weight=0, single_weight=0), catalogue=NO_CATALOGUE)
            ),
            "The weights of `method` or of `catalogue` must be positive. Received: 0 for all",
        ),
        (
            lambda: TrainerConfig((IN_LISTS[0], dataclasses.replace(IN_LISTS[1], list_capacity=31))),
            "Stage list capacities must not grow along the funnel. Received: [30, 31]",
        ),
    ],
)
def test_a_bad_value_is_named(build, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


def test_the_defaults_are_a_two_stage_cascade():
    assert [stage.tower.kind for stage in TrainerConfig().stages] == ["two_tower", "din"]
