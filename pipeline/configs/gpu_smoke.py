"""The smallest run that shows that a GPU trains: the demo's smoke world, one epoch in half precision.

A step is one graph, without XLA, and nothing in it goes through the host. Without a GPU it runs on the processor, and a
line of the trainer says so.

Expect: a blessed release; the numbers mean nothing.
Hardware and time: any GPU or 2 CPU cores, 2 minutes, most of it imports.

    lcron simulate --config gpu_smoke --out logs
    lcron run --config gpu_smoke --data logs
"""

import dataclasses

from pipeline.configs import demo
from pipeline.experiment import ExperimentConfig
from trainer.evaluation.gate import Gate


def config() -> ExperimentConfig:
    """The demo's smoke variant in bfloat16."""
    small = demo.smoke()
    return dataclasses.replace(
        small,
        name="gpu_smoke",
        description="does a GPU train? simulated funnel logs, two-stage lists of 4 x 10, LCRON in bfloat16",
        trainer=dataclasses.replace(small.trainer, precision="bfloat16"),
        evaluation=dataclasses.replace(
            small.evaluation, gate=Gate(minimum={"recall@50": 0.01}, popularity_factor=None)
        ),
    )


def smoke() -> ExperimentConfig:
    """The same: it is small already."""
    return dataclasses.replace(config(), name="gpu_smoke_smoke")
