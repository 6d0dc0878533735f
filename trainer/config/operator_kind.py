"""The sorting operators' names and temperatures, apart from their code so that a configuration needs no TensorFlow."""

from typing import Literal

OperatorKind = Literal[
    "neural_sort",
    "soft_sort",
    "odd_even_network",
    "bitonic_network",
    "sinkhorn",
    "fermi_dirac",
    "lap_sum",
    "sparse_top_k",
    "threshold_sigmoid",
    "soft_rank",
    "perturbed_top_k",
]

DEFAULT_TEMPERATURES: dict[OperatorKind, float] = {
    "neural_sort": 50.0,
    "soft_sort": 1.6,
    "odd_even_network": 0.1,
    "bitonic_network": 0.1,
    "sinkhorn": 3.2,
    "fermi_dirac": 1.6,
    "lap_sum": 2.0,
    "sparse_top_k": 8.0,
    "threshold_sigmoid": 1.6,
    "soft_rank": 0.1,
    "perturbed_top_k": 2.4,
}
"""Where to start with lists of 40 items whose scores have a spread of one: 50 is what LCRON (arXiv 2503.09492, Table 8)
found best for NeuralSort, the others are about as soft."""

GROWS_WITH_LIST: frozenset[OperatorKind] = frozenset({"neural_sort"})
"""Operators whose temperature is in units of score times items: the same softness takes more of it in a longer list."""
