"""RecFlow in lists of four stages with ten items each, as the LCRON paper's main experiment trains on.

Follows: Learning Cascade Ranking as One Network (arXiv 2503.09492), section 5: one pass over the days, embeddings of
8, history 50, batches of 1,024 lists, learning rate 0.01; tested on the last day, watched on the one before it.
Expect: the paper's joint Recall@10@20 inside the lists is 0.873 for LCRON on the real logs.
Hardware and time: the real logs are hundreds of millions of rows; use a GPU machine.

    lcron run --config recflow_two_stage --data RecFlow
    lcron benchmark --config recflow_two_stage --data RecFlow --methods all --seeds 5    (the paper's Table 2)
    lcron run --config recflow_two_stage --smoke --data LOGS    (LOGS: lcron simulate --config recflow_two_stage)
"""

import dataclasses

from pipeline.comparison.config import BenchmarkConfig
from pipeline.experiment import AdapterConfig, ExperimentConfig
from pipeline.splits import SplitConfig
from sources.simulator import SimulatorConfig
from trainer.config.towers import Din, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import Categorical, FeatureSpec, HistoryFeature, Numeric, Timestamp
from trainer.evaluation.config import EvaluationConfig
from trainer.evaluation.gate import Gate

PAPER_PROTOCOL = {
    # All days but the last, in their order, in one pass at a constant rate; inside the logged lists alone.
    "splits.eval_days": "0",
    "trainer.order": "chronological",
    "trainer.learning_rate_decay": "none",
    "trainer.loss.catalogue.weight": "0",
    # DSSM and DIN in the paper's widths.
    "trainer.stages.0.tower": "dssm",
    "trainer.stages.0.tower.hidden_units": "128,64",
    "trainer.stages.0.tower.output_dim": "32",
    "trainer.stages.1.tower.hidden_units": "128,128,32",
    "trainer.stages.1.tower.attention_units": "80",
}

FEATURES = FeatureSpec(
    request=(
        Categorical("user_id"),
        Categorical("device_id"),
        Categorical("age", dtype="int64"),
        Categorical("gender", dtype="int64"),
        Categorical("province", dtype="int64"),
        Timestamp("request_time_ms"),
    ),
    item=(
        Categorical("author_id"),
        Categorical("category_level_one", dtype="int64"),
        Categorical("category_level_two", dtype="int64"),
        Categorical("upload_type", dtype="int64"),
        Numeric("duration", dtype="int64"),
        Numeric("upload_time_ms", dtype="int64", num_buckets=32),
    ),
    history=(HistoryFeature("completion", 4), HistoryFeature("age", 16)),
    history_size=50,
    list_size=40,
    ground_truth_stage=3,
    time_zone="Asia/Shanghai",
)


def config() -> ExperimentConfig:
    """The whole data set."""
    return ExperimentConfig(
        name="recflow_two_stage",
        description="RecFlow, two-stage lists of 4 x 10, LCRON",
        adapter=AdapterConfig("recflow", {"lists": "two_stage", "time_zone": FEATURES.time_zone}),
        features=FEATURES,
        splits=SplitConfig(eval_days=1, test_days=1),
        trainer=TrainerConfig(
            stages=(
                StageConfig("retrieval", TwoTower(), capacity=500, list_capacity=30),
                StageConfig("ranking", Din(), capacity=100, list_capacity=20, min_candidate_stage=2),
            ),
            item_embedding_dim=8,
            epochs=1,
            batch_size=1024,
            learning_rate=1e-2,
        ),
        evaluation=EvaluationConfig(ks=(10, 20, 50, 100), gate=Gate(popularity_factor=1.2)),
        schema_dir="recflow",
        simulation=SimulatorConfig(num_users=40_000, num_items=50_000, num_days=6, requests_per_day=20_000),
        benchmark=BenchmarkConfig(PAPER_PROTOCOL, max_catalogue_requests=2_000, paper="two_stage"),
    )


def smoke() -> ExperimentConfig:
    """Minutes on a laptop, on simulated logs."""
    full = config()
    return dataclasses.replace(
        full,
        name="recflow_two_stage_smoke",
        trainer=dataclasses.replace(full.trainer, epochs=2, batch_size=128, learning_rate=3e-3),
        simulation=SimulatorConfig(num_users=300, num_items=1_000, num_days=4, requests_per_day=300),
    )
