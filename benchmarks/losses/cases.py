"""What `benchmarks.losses` measures, apart from its code so that a choice needs no TensorFlow."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, get_args

from trainer.config.operator_kind import OperatorKind

Mode = Literal["eager", "function", "xla"]
Part = Literal["operator", "loss", "training_step"]

MODES: dict[Mode, str] = {"eager": "eager", "function": "tf.function", "xla": "XLA"}
OPERATOR_NAMES: tuple[str, ...] = get_args(OperatorKind)
STREAMED_OPERATORS = ("neural_sort", "soft_sort")
DENSE, STREAMED = ", dense", ", streamed"
METHODS: tuple[str, ...] = (
    "lcron", "bce", "icc", "rank_flow", "fs_ranknet", "fs_lambda_loss", "arf", "arf_v2",
)  # fmt: skip
SEED = 17
TRAINING_STEP = "training step of the demo"

BATCH_SIZES = {40: 1024, 50: 1024, 200: 64, 1000: 8, 4096: 8}
LOSS_BATCH_SIZE, LOSS_LIST_SIZE = 1024, 40


@dataclasses.dataclass(frozen=True)
class Case:
    """One measurement.

    Args:
      part: what is measured.
      name: of the operator (with its form, where it has two) or of the method.
      mode: how TensorFlow runs it.
      batch_size: lists.
      list_size: items of each.
    """

    part: Part
    name: str
    mode: Mode
    batch_size: int
    list_size: int


def forms(operators: Sequence[str]) -> list[str]:
    """Returns the names of operators, those with a dense and a streamed form twice."""
    return [
        operator + form
        for operator in operators
        for form in ((DENSE, STREAMED) if operator in STREAMED_OPERATORS else ("",))
    ]


def operator_cases(operators: Sequence[str], shapes: dict[int, int], modes: Sequence[Mode]) -> list[Case]:
    """Returns the cases of operators; `shapes` gives the batch size of each list size."""
    return [
        Case("operator", form, mode, batch_size, list_size)
        for list_size, batch_size in shapes.items()
        for form in forms(operators)
        for mode in modes
    ]


def loss_cases(methods: Sequence[str], batch_size: int, list_size: int, modes: Sequence[Mode]) -> list[Case]:
    """Returns the cases of the methods' losses, and the training step that they are part of."""
    cases = [Case("loss", method, mode, batch_size, list_size) for method in methods for mode in modes]
    return [*cases, Case("training_step", TRAINING_STEP, "function", batch_size, list_size)]


def estimated_bytes(case: Case) -> float:
    """Returns about how much memory a case takes: float32 arrays of its size that are alive together.

    A dense operator holds arrays of `list_size²` per list, a network of `list_size` per layer, the perturbed top-k per
    pair of samples, the others a few of `list_size`. How many is taken from measurements, rounded up; eager execution
    keeps every intermediate result for the gradient.
    """
    size = case.list_size
    layers = {"odd_even_network": size, "bitonic_network": size.bit_length() ** 2 // 2, "perturbed_top_k": 64}
    if case.name.endswith(DENSE):
        floats, arrays = size * size, {"eager": 18, "function": 7, "xla": 4}[case.mode]
    elif case.name in layers:
        floats, arrays = size * layers[case.name], 60 if case.mode == "eager" else 24
    elif case.part == "operator":
        floats, arrays = size, 100
    else:
        floats, arrays = size * size, 50
    return 4.0 * case.batch_size * floats * arrays
