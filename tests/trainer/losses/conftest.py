"""Vectors of the reference, and the checks against them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
NAMES = [
    "two_n8_seed0",
    "two_n8_seed1_scale10",
    "two_n40_seed0",
    "two_n40_seed1_scale10",
    "three_n10_seed0",
    "three_n50_seed0",
]


@dataclasses.dataclass
class Reference:
    """One vector file: a batch, and what the reference makes of it."""

    name: str

    def __post_init__(self):
        self.vectors = np.load(VECTORS / f"{self.name}.npz")
        self.num_stages = 3 if self.name.startswith("three") else 2
        self.stages = ["retrieval", "prerank", "rank"][: self.num_stages]
        self.labels = self.vectors["labels"]
        self.scores = [tf.constant(self.vectors[f"logits_{stage}"]) for stage in self.stages]
        self.ground_truth = np.zeros(self.labels.shape, bool)
        best = np.argsort(-self.labels, axis=1, kind="stable")[:, : self.vectors["gt"]]
        np.put_along_axis(self.ground_truth, best, True, axis=1)
        # The items lie group by group, the deepest stage of the logged funnel first.
        self.group = np.broadcast_to(np.repeat(np.arange(len(self["sizes"])), self["sizes"]), self.labels.shape)
        self.candidate_stage = len(self["sizes"]) - 1 - self.group

    def __getitem__(self, key):
        return self.vectors[key]

    def check(self, key, loss, gradient_tolerance=1e-4, value_tolerance=1e-5):
        """Compares `loss(scores_by_stage)` and its gradients to those under `key`."""
        with tf.GradientTape() as tape:
            tape.watch(self.scores)
            value = loss(self.scores)
        assert float(value) == pytest.approx(float(self[f"{key}__value"]), rel=value_tolerance)
        for stage, gradient in zip(self.stages, tape.gradient(value, self.scores), strict=True):
            expected = self[f"{key}__grad_{stage}"]
            gradient = np.zeros_like(expected) if gradient is None else gradient.numpy()
            assert np.abs(gradient - expected).max() <= gradient_tolerance * np.abs(expected).max()


@pytest.fixture(params=NAMES)
def reference(request):
    """Every vector file without padding, or those that the test names."""
    return Reference(request.param)
