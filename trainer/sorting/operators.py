"""The sorting operators by the name that a configuration gives them."""

from trainer.config import OperatorKind
from trainer.sorting.neural_sort import neural_sort
from trainer.sorting.soft_sort import soft_sort
from trainer.sorting.survival import SortingOperator

OPERATORS: dict[OperatorKind, SortingOperator] = {
    "neural_sort": neural_sort,
    "soft_sort": soft_sort,
}
