"""The sorting operators against the matrices of the reference."""

from pathlib import Path

import numpy as np
import pytest

from trainer.sorting.neural_sort import neural_sort
from trainer.sorting.soft_sort import soft_sort

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


@pytest.mark.parametrize(("operator", "sort"), [(neural_sort, "neuralsort"), (soft_sort, "softsort")])
@pytest.mark.parametrize("temperature", [1, 50])
@pytest.mark.parametrize("name", ["two_n8_seed0", "two_n40_seed1_scale10"])
def test_head_is_that_of_the_reference_matrix(operator, sort, name, temperature):
    vectors = np.load(VECTORS / f"{name}.npz")
    matrix = vectors[f"P_{sort}_retrieval_tau{temperature}"].astype(np.float64)
    survival = operator(vectors["logits_retrieval"], 3, temperature=temperature)
    np.testing.assert_allclose(survival.head, matrix[:, :3].sum(1) / matrix.sum(1), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(survival.tail, matrix[:, 3:].sum(1) / matrix.sum(1), rtol=2e-5, atol=1e-6)
