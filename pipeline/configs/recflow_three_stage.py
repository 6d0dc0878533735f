"""RecFlow in lists of five stages with ten items each, on a cascade of three stages.

Follows: Learning Cascade Ranking as One Network (arXiv 2503.09492), appendix C.2: retrieval, pre-ranking and ranking
keep 40, 30 and 20 of 50 items; all else as in `recflow_two_stage`.
Expect: the paper's joint Recall@10@20 inside the lists is 0.739 for LCRON on the real logs.
Hardware and time: the real logs are hundreds of millions of rows; use a GPU machine.

    lcron run --config recflow_three_stage --data RecFlow
    lcron benchmark --config recflow_three_stage --data RecFlow --methods all --seeds 5    (the paper's Table 6)
    lcron run --config recflow_three_stage --smoke --data LOGS    (LOGS: lcron simulate --config recflow_three_stage)
"""

import dataclasses

from pipeline.comparison.config import BenchmarkConfig
from pipeline.configs import recflow_two_stage
from pipeline.experiment import AdapterConfig, ExperimentConfig
from trainer.config.towers import Din, Mlp, TwoTower
from trainer.config.trainer import StageConfig

FEATURES = dataclasses.replace(recflow_two_stage.FEATURES, list_size=50, ground_truth_stage=4)

PAPER_PROTOCOL = {
    key: value for key, value in recflow_two_stage.PAPER_PROTOCOL.items() if not key.startswith("trainer.stages.1.")
} | {
    # The paper's MLP and DIN.
    "trainer.stages.1.tower.hidden_units": "128,64,32",
    "trainer.stages.2.tower.hidden_units": "128,128,32",
    "trainer.stages.2.tower.attention_units": "80",
}


def config() -> ExperimentConfig:
    """The whole data set."""
    return _three_stages(recflow_two_stage.config())


def smoke() -> ExperimentConfig:
    """Minutes on a laptop, on simulated logs."""
    return _three_stages(recflow_two_stage.smoke())


def _three_stages(two_stages: ExperimentConfig) -> ExperimentConfig:
    return dataclasses.replace(
        two_stages,
        name=two_stages.name.replace("two", "three"),
        description="RecFlow, three-stage lists of 5 x 10, LCRON",
        adapter=AdapterConfig("recflow", {"lists": "three_stage", "time_zone": FEATURES.time_zone}),
        features=FEATURES,
        trainer=dataclasses.replace(
            two_stages.trainer,
            stages=(
                StageConfig("retrieval", TwoTower(), capacity=500, list_capacity=40),
                StageConfig("preranking", Mlp(), capacity=200, list_capacity=30, min_candidate_stage=1),
                StageConfig("ranking", Din(), capacity=100, list_capacity=20, min_candidate_stage=3),
            ),
        ),
        benchmark=BenchmarkConfig(PAPER_PROTOCOL, max_catalogue_requests=2_000, paper="three_stage"),
    )
