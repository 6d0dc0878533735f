"""The sorting operators by the name that a configuration gives them."""

from trainer.config.operator_kind import OperatorKind
from trainer.sorting.bitonic_network import bitonic_network
from trainer.sorting.fermi_dirac import fermi_dirac
from trainer.sorting.lap_sum import lap_sum
from trainer.sorting.neural_sort import neural_sort
from trainer.sorting.odd_even_network import odd_even_network
from trainer.sorting.perturbed_top_k import perturbed_top_k
from trainer.sorting.sinkhorn import sinkhorn
from trainer.sorting.soft_rank import soft_rank
from trainer.sorting.soft_sort import soft_sort
from trainer.sorting.sparse_top_k import sparse_top_k
from trainer.sorting.survival import SortingOperator
from trainer.sorting.threshold_sigmoid import threshold_sigmoid

OPERATORS: dict[OperatorKind, SortingOperator] = {
    "neural_sort": neural_sort,
    "soft_sort": soft_sort,
    "odd_even_network": odd_even_network,
    "bitonic_network": bitonic_network,
    "sinkhorn": sinkhorn,
    "fermi_dirac": fermi_dirac,
    "lap_sum": lap_sum,
    "sparse_top_k": sparse_top_k,
    "threshold_sigmoid": threshold_sigmoid,
    "soft_rank": soft_rank,
    "perturbed_top_k": perturbed_top_k,
}
