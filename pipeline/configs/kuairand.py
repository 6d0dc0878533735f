"""KuaiRand-Pure: real exposures of a short-video app, every video of the catalogue a candidate.

Trained on 8 to 28 April 2022, watched on 29 and 30 April, tested on 1 to 8 May. A request is a user and a day, its
ground truth the videos viewed long that day; what the user was exposed to before is excluded, as serving does it.

Expect: pooled end-to-end recall@100 of about 0.453 on the parquet cut, where a linear item-item model has 0.43 and
popularity 0.25.
Hardware and time: 5 CPU-minutes of one core for the 3 epochs, beside the data and the evaluation.

    lcron run --config kuairand --data KuaiRand-Pure/data
"""

import dataclasses

from pipeline.comparison.config import BenchmarkConfig
from pipeline.experiment import AdapterConfig, ExperimentConfig
from pipeline.splits import SplitConfig
from trainer.config.losses import CatalogueLossConfig, LossConfig
from trainer.config.towers import Din, ItemSimilarity
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import Categorical, FeatureSpec, HistoryFeature, Numeric, Timestamp
from trainer.evaluation.config import EvaluationConfig
from trainer.evaluation.gate import Gate

FEATURES = FeatureSpec(
    request=(
        Categorical("user_active_degree"),
        Categorical("is_live_streamer"),
        Categorical("is_video_author"),
        Categorical("follow_user_num_range"),
        Categorical("fans_user_num_range"),
        Categorical("friend_user_num_range"),
        Categorical("register_days_range"),
        Timestamp("request_time_ms"),
    ),
    item=(
        Categorical("author_id", min_count=2),
        Categorical("tag"),
        Categorical("tags", min_count=2),
        Categorical("upload_type"),
        Categorical("music_type"),
        Numeric("video_duration_ms", dtype="int64", num_buckets=20),
        Numeric("upload_time_ms", dtype="int64", num_buckets=32),
    ),
    history=(HistoryFeature("grade", 5), HistoryFeature("age_days", 16)),
    history_size=50,
    list_size=40,
    ground_truth_stage=2,
    time_zone="Asia/Shanghai",
)


def config() -> ExperimentConfig:
    """The whole data set."""
    return ExperimentConfig(
        name="kuairand",
        description="KuaiRand-Pure, whole catalogue, long views as ground truth",
        schema_dir="kuairand",
        adapter=AdapterConfig("kuairand", {"time_zone": FEATURES.time_zone, "history_size": FEATURES.history_size}),
        features=FEATURES,
        splits=SplitConfig(
            train_days="2022-04-08..2022-04-28",
            eval_days="2022-04-29..2022-04-30",
            test_days="2022-05-01..2022-05-08",
        ),
        trainer=TrainerConfig(
            stages=(
                StageConfig(
                    "retrieval", ItemSimilarity(hidden_units=(128,), output_dim=128), capacity=200, list_capacity=20
                ),
                StageConfig(
                    "ranking",
                    Din(hidden_units=(64,), attention_units=16),
                    capacity=100,
                    list_capacity=10,
                    adds_to_previous=True,
                ),
            ),
            # Exposures teach as well as long views do: what the app showed to a user is most of what can be foretold.
            loss=LossConfig(
                catalogue=CatalogueLossConfig(
                    num_sampled_negatives=None,
                    num_retrieved_negatives=20,
                    positive_weights=(0.0, 1.0, 1.0, 2.0, 2.0),
                    hidden_event_weight=1.0,
                )
            ),
            epochs=3,
            kept_epoch="last",  # inside the logged lists nearly everything survives, so they say little
            batch_size=256,
            learning_rate=4e-3,
            history_dropout=0.3,
        ),
        benchmark=BenchmarkConfig(headline="recall@100"),
        evaluation=EvaluationConfig(
            ks=(10, 50, 100),
            popularity_days=4.0,  # 25 to 28 April, the days that the parquet cut has dates for
            gate=Gate(minimum={"recall@100": 0.35}, popularity_factor=1.2),
        ),
    )


def smoke() -> ExperimentConfig:
    """One short pass over the last training days."""
    full = config()
    return dataclasses.replace(
        full,
        name="kuairand_smoke",
        splits=dataclasses.replace(
            full.splits, train_days="2022-04-27..2022-04-28", test_days="2022-05-01..2022-05-01"
        ),
        trainer=dataclasses.replace(full.trainer, epochs=1),
        evaluation=dataclasses.replace(full.evaluation, max_requests=2_000, gate=Gate(popularity_factor=None)),
    )
