import re

import pytest

from trainer.config import LossConfig, StageConfig, TrainerConfig

RETRIEVAL = StageConfig("retrieval", "two_tower", 30)
RANKING = StageConfig("ranking", "din", 20)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: StageConfig("ranking", "tree", 5),
            "`tower` must be one of ('two_tower', 'din', 'mlp', 'dcn'). Received: tower='tree'",
        ),
        (lambda: StageConfig("ranking", "din", 0), "`capacity` must be positive. Received: capacity=0"),
        (
            lambda: StageConfig("ranking", "din", 5, list_capacity=0),
            "`list_capacity` must be positive. Received: list_capacity=0",
        ),
        (
            lambda: StageConfig("ranking", "din", 5, hidden_units=()),
            "`hidden_units` must be positive widths. Received: hidden_units=()",
        ),
        (
            lambda: LossConfig(operator="bubble_sort"),
            "`operator` must be one of ('neural_sort', 'soft_sort'). Received: operator='bubble_sort'",
        ),
        (lambda: LossConfig(temperature=0), "`temperature` must be positive. Received: temperature=0"),
        (
            lambda: LossConfig(sampled_softmax_weight=-1.0),
            "`sampled_softmax_weight` must not be negative. Received: sampled_softmax_weight=-1.0",
        ),
        (
            lambda: LossConfig(popularity_share=1.0),
            "`popularity_share` must be in [0, 1). Received: popularity_share=1.0",
        ),
        (
            lambda: LossConfig(positive_weights=(1.0, -0.5)),
            "`positive_weights` must not be negative. Received: positive_weights=(1.0, -0.5)",
        ),
        (lambda: TrainerConfig((RETRIEVAL,)), "`stages` must hold at least two stages. Received: ['retrieval']"),
        (
            lambda: TrainerConfig((RETRIEVAL, RETRIEVAL)),
            "`stages` must have distinct names other than 'cascade'. Received: ['retrieval', 'retrieval']",
        ),
        (
            lambda: TrainerConfig((RANKING, RETRIEVAL)),
            "The first stage must be named 'retrieval' and be a 'two_tower'. Received: 'ranking', 'din'",
        ),
        (
            lambda: TrainerConfig((RETRIEVAL, StageConfig("ranking", "din", 40))),
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
    ],
)
def test_a_bad_value_is_named(build, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


def test_the_defaults_are_a_two_stage_cascade():
    assert [stage.tower for stage in TrainerConfig().stages] == ["two_tower", "din"]
