import re

import pytest

from trainer.losses.config import (
    ArfConfig,
    CatalogueLossConfig,
    IccConfig,
    LambdaLossConfig,
    LcronConfig,
    LossConfig,
    PermutationConfig,
    RankFlowConfig,
    RankingConfig,
)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LossConfig(method="hinge"), "`method` must be one of ('lcron', 'bce', "),
        (lambda: LossConfig(method="hinge"), "Received: method='hinge'"),
        (
            lambda: LossConfig(reference_list_size=0),
            "`reference_list_size` must be positive. Received: reference_list_size=0",
        ),
        (lambda: LcronConfig(operator="bubble_sort"), "`operator` must be one of ('neural_sort', 'soft_sort', "),
        (lambda: LcronConfig(temperature=0), "`temperature` must be positive. Received: temperature=0"),
        (
            lambda: LcronConfig(end_to_end_weight=-1.0),
            "`end_to_end_weight` must not be negative. Received: end_to_end_weight=-1.0",
        ),
        (
            lambda: LcronConfig(operator="sparse_top_k"),
            "`epsilon` must be positive with the operator 'sparse_top_k', whose survivals reach zero. "
            "Received: epsilon=0.0",
        ),
        (lambda: IccConfig(temperature=-1.0), "`temperature` must be positive. Received: temperature=-1.0"),
        (lambda: IccConfig(ties="random"), "`ties` must be one of ('ignore', 'by_position'). Received: ties='random'"),
        (
            lambda: RankFlowConfig(pair_weight=-0.5),
            "`pair_weight` must not be negative. Received: pair_weight=-0.5",
        ),
        (lambda: LambdaLossConfig(top_n=0), "`top_n` must be positive. Received: top_n=0"),
        (lambda: LambdaLossConfig(smoothing=1.5), "`smoothing` must be in [0, 1]. Received: smoothing=1.5"),
        (
            lambda: LambdaLossConfig(labels="stages"),
            "`labels` must be one of ('graded', 'ground_truth'). Received: labels='stages'",
        ),
        (lambda: ArfConfig(temperature=0.0), "`temperature` must be positive. Received: temperature=0.0"),
        (
            lambda: PermutationConfig(operator="lap_sum"),
            "`operator` must be one of ('neural_sort', 'soft_sort'). Received: operator='lap_sum'",
        ),
        (lambda: RankingConfig(()), "`keys` must be at least one, each of ('pairwise_hinge_loss', "),
        (lambda: RankingConfig(("softmax_loss", "foo")), "Received: keys=('softmax_loss', 'foo')"),
        (lambda: RankingConfig(("ordinal_loss",)), "Received: keys=('ordinal_loss',)"),
        (
            lambda: IccConfig(stage_weights=(1.0, -2.0)),
            "`stage_weights` must not be negative. Received: stage_weights=(1.0, -2.0)",
        ),
        (lambda: ArfConfig(epsilon=-1.0), "`epsilon` must not be negative. Received: epsilon=-1.0"),
        (lambda: CatalogueLossConfig(weight=-1.0), "`weight` must not be negative. Received: weight=-1.0"),
        (
            lambda: CatalogueLossConfig(popularity_share=1.0),
            "`popularity_share` must be in [0, 1). Received: popularity_share=1.0",
        ),
        (
            lambda: CatalogueLossConfig(positive_weights=(1.0, -0.5)),
            "`positive_weights` must not be negative. Received: positive_weights=(1.0, -0.5)",
        ),
        (
            lambda: CatalogueLossConfig(num_sampled_negatives=0),
            "`num_sampled_negatives` must be positive unless `in_batch_negatives` is true and "
            "`num_retrieved_negatives` is 0. Received: num_sampled_negatives=0",
        ),
    ],
)
def test_a_bad_value_is_named(build, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


def test_in_batch_negatives_alone_are_enough_for_retrieval():
    config = CatalogueLossConfig(num_sampled_negatives=0, num_retrieved_negatives=0)
    assert config.in_batch_negatives
