"""A simulated world from raw funnel logs to a served recommendation, in minutes on two cores.

Follows: the two-stage set-up of LCRON (arXiv 2503.09492) on the simulator's logs in the RecFlow layout.

Expect: end-to-end recall@50 of 0.51 to 0.52 on the test day, where popularity has 0.19 and the best possible is 0.86.
Hardware and time: 365 s of processor time, 5 minutes on two cores of an AMD EPYC with AVX2.

    make demo
"""

import dataclasses

from pipeline.configs.recflow_two_stage import FEATURES
from pipeline.experiment import AdapterConfig, ExperimentConfig
from pipeline.splits import SplitConfig
from sources.simulator import SimulatorConfig
from trainer.config.losses import CatalogueLossConfig, LossConfig
from trainer.config.towers import Din, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.evaluation.config import EvaluationConfig
from trainer.evaluation.gate import Gate
from trainer.tuning.config import Choice, Float, Int, TuningConfig


def config() -> ExperimentConfig:
    """The demo of the README."""
    return ExperimentConfig(
        name="demo",
        description="simulated funnel logs, two-stage lists of 4 x 10, LCRON",
        adapter=AdapterConfig("recflow", {"lists": "two_stage", "time_zone": FEATURES.time_zone}),
        features=FEATURES,
        splits=SplitConfig(eval_days=1, test_days=1),
        trainer=TrainerConfig(
            stages=(
                StageConfig("retrieval", TwoTower(), capacity=200, list_capacity=30),
                StageConfig("ranking", Din(), capacity=50, list_capacity=20, min_candidate_stage=2),
            ),
            loss=LossConfig(catalogue=CatalogueLossConfig(num_sampled_negatives=512)),
            epochs=8,
            batch_size=128,
            learning_rate=3e-3,
        ),
        evaluation=EvaluationConfig(ks=(10, 20, 50), gate=Gate(minimum={"recall@50": 0.4}, popularity_factor=1.5)),
        tuning=TuningConfig(
            search_space=(
                Float("learning_rate", 1e-3, 1e-2, sampling="log"),
                Float("loss.method.temperature", 10.0, 200.0, sampling="log"),
                Float("loss.method.end_to_end_weight", 0.2, 5.0, sampling="log"),
                Choice("stages.0.tower.hidden_units", ("128,64", "256,128")),
                Int("stages.0.tower.output_dim", 16, 64, step=2, sampling="log"),
            ),
            num_trials=6,
            epochs=4,
        ),
        schema_dir="recflow",
        simulation=SimulatorConfig(num_users=1_000, num_items=4_000, num_days=6, requests_per_day=2_500),
    )


def smoke() -> ExperimentConfig:
    """The smallest world in which every component has something to do."""
    full = config()
    return dataclasses.replace(
        full,
        name="demo_smoke",
        trainer=dataclasses.replace(full.trainer, epochs=2, batch_size=64),
        evaluation=dataclasses.replace(full.evaluation, gate=Gate(popularity_factor=None)),
        tuning=TuningConfig(full.tuning.search_space if full.tuning else (), num_trials=2, epochs=1, max_requests=200),
        simulation=SimulatorConfig(num_users=100, num_items=900, num_days=4, requests_per_day=150),
    )
