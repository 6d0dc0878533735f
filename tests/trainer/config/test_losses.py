import re

import pytest

from trainer.config.losses import (
    Arf,
    CatalogueLossConfig,
    FsLambdaLoss,
    Icc,
    Lcron,
    LossConfig,
    Permutation,
    RankFlow,
    Ranking,
)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: LossConfig(method="bce"),
            "`method` must be a loss with its settings, such as `Lcron()` or `Bce()`. Received: method='bce'",
        ),
        (
            lambda: LossConfig(reference_list_size=0),
            "`reference_list_size` must be positive. Received: reference_list_size=0",
        ),
        (lambda: Lcron(operator="bubble_sort"), "`operator` must be one of ('neural_sort', 'soft_sort', "),
        (lambda: Lcron(temperature=0), "`temperature` must be positive. Received: temperature=0"),
        (
            lambda: Lcron(end_to_end_weight=-1.0),
            "`end_to_end_weight` must not be negative. Received: end_to_end_weight=-1.0",
        ),
        (
            lambda: Lcron(operator="sparse_top_k"),
            "`epsilon` must be positive with the operator 'sparse_top_k', whose survivals reach zero. "
            "Received: epsilon=0.0",
        ),
        (lambda: Icc(temperature=-1.0), "`temperature` must be positive. Received: temperature=-1.0"),
        (lambda: Icc(ties="random"), "`ties` must be one of ('ignore', 'by_position'). Received: ties='random'"),
        (
            lambda: RankFlow(pair_weight=-0.5),
            "`pair_weight` must not be negative. Received: pair_weight=-0.5",
        ),
        (lambda: FsLambdaLoss(top_n=0), "`top_n` must be positive. Received: top_n=0"),
        (lambda: FsLambdaLoss(smoothing=1.5), "`smoothing` must be in [0, 1]. Received: smoothing=1.5"),
        (
            lambda: FsLambdaLoss(labels="stages"),
            "`labels` must be one of ('graded', 'ground_truth'). Received: labels='stages'",
        ),
        (lambda: Arf(temperature=0.0), "`temperature` must be positive. Received: temperature=0.0"),
        (
            lambda: Permutation(operator="lap_sum"),
            "`operator` must be one of ('neural_sort', 'soft_sort'). Received: operator='lap_sum'",
        ),
        (lambda: Ranking(()), "`keys` must be at least one, each of ('pairwise_hinge_loss', "),
        (lambda: Ranking(("softmax_loss", "foo")), "Received: keys=('softmax_loss', 'foo')"),
        (lambda: Ranking(("ordinal_loss",)), "Received: keys=('ordinal_loss',)"),
        (
            lambda: Icc(stage_weights=(1.0, -2.0)),
            "`stage_weights` must not be negative. Received: stage_weights=(1.0, -2.0)",
        ),
        (lambda: Arf(epsilon=-1.0), "`epsilon` must not be negative. Received: epsilon=-1.0"),
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
