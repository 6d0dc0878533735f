"""The names of the sorting operators, apart from their code so that a configuration needs no TensorFlow."""

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
