"""The top-k operators against the values and gradients of the reference."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.sorting.lap_sum import lap_sum
from trainer.sorting.sparse_top_k import sparse_top_k
from trainer.sorting.threshold_sigmoid import threshold_sigmoid

VECTORS = np.load(Path(__file__).resolve().parents[2] / "vectors" / "topk_ops.npz")
CASES = [
    *((threshold_sigmoid, "dftopk_prob_tau", temperature) for temperature in ("0.5", "1", "10")),
    *((lap_sum, "lapsum_alpha", temperature) for temperature in ("0.3", "1", "5")),
    *((sparse_top_k, "sparse_dykstra_l", temperature) for temperature in ("0.3", "1")),
]


def _check(name, key, operator, temperature, output):
    scores = tf.constant(VECTORS[f"{name}_x"])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = output(operator(scores, int(VECTORS[f"{name}_k"]), temperature=temperature))
        loss = tf.reduce_sum(VECTORS[f"{name}_upstream"] * value)
    np.testing.assert_allclose(value, VECTORS[f"{name}_{key}"], rtol=1e-5, atol=1e-6)
    expected = VECTORS[f"{name}_{key}_vjp"]
    np.testing.assert_allclose(tape.gradient(loss, scores), expected, rtol=0, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize("name", ["n8", "n40"])
@pytest.mark.parametrize(("operator", "key", "temperature"), CASES)
def test_probabilities_and_gradients_are_those_of_the_reference(operator, key, temperature, name):
    _check(name, key + temperature, operator, float(temperature), lambda survival: survival.head)


@pytest.mark.parametrize("name", ["n8", "n40"])
@pytest.mark.parametrize("temperature", ["0.5", "1", "10"])
def test_log_odds_are_the_logits_of_the_reference(temperature, name):
    key = f"dftopk_logits_tau{temperature}"
    _check(name, key, threshold_sigmoid, float(temperature), lambda survival: survival.log_head - survival.log_tail)
