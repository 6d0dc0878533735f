"""The methods that can be compared: what each sets in the experiment's loss."""

import dataclasses
import types
from collections.abc import Mapping
from typing import get_args

from trainer.config.operator_kind import OperatorKind

REFERENCE = "lcron"
"""The method that the others are compared with."""


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to train the cascade.

    Args:
      title: its name in the report.
      settings: keys below `trainer.loss.` and the text of their values.
    """

    title: str
    settings: Mapping[str, str]

    @property
    def overrides(self) -> dict[str, str]:
        """The settings as overrides of an experiment."""
        return {f"trainer.loss.{key}": value for key, value in self.settings.items()}


def _plain(title: str, method: str) -> Method:
    return Method(title, {"method": method})


def _lcron(title: str, **settings: str) -> Method:
    return Method(title, {"method": "lcron"} | {f"method.{key}": value for key, value in settings.items()})


def _operator(operator: str) -> Method:
    # Survivals of a projection reach zero, whose logarithm needs a bound.
    bounded = {"epsilon": "1e-6"} if operator == "sparse_top_k" else {}
    return _lcron(f"LCRON with {operator.replace('_', ' ')}", operator=operator, **bounded)


_PAPER = {
    "bce": _plain("BCE (independent stages)", "bce"),
    "icc": _plain("ICC", "icc"),
    "rank_flow": _plain("RankFlow", "rank_flow"),
    "fs_ranknet": _plain("FS-RankNet", "fs_ranknet"),
    "fs_lambda_loss": _plain("FS-LambdaLoss", "fs_lambda_loss"),
    "arf": _plain("ARF", "arf"),
    "arf_v2": _plain("ARF-v2", "arf_v2"),
    REFERENCE: _plain("LCRON", "lcron"),
}
_ABLATIONS = {
    "lcron_without_e2e": _lcron("LCRON without L_e2e", end_to_end_weight="0"),
    "lcron_without_single": _lcron("LCRON without L_single", single_weight="0"),
    "lcron_learned_e2e": _lcron("LCRON, weight of L_e2e learned too", end_to_end_weight="none"),
    "lcron_capacities": _lcron("LCRON, L_e2e at the capacities", use_list_capacities="true"),
    "lcron_negatives_10": _lcron("LCRON, negatives × 10", negative_weight="10"),
    "fs_lambda_loss_ground_truth": Method(
        "FS-LambdaLoss, ground truth alone", {"method": "fs_lambda_loss", "method.labels": "ground_truth"}
    ),
    "neural_sort_alone": Method("NeuralSort alone", {"method": "permutation", "method.operator": "neural_sort"}),
    "soft_sort_alone": Method("SoftSort alone", {"method": "permutation", "method.operator": "soft_sort"}),
}
_WEIGHTS = {
    f"lcron_single_{weight}": _lcron(f"LCRON, weight of L_single {weight}", single_weight=weight)
    for weight in ("0.01", "0.1", "0.5", "1", "2", "5")
}
_TEMPERATURES = {
    f"lcron_tau_{tau}": _lcron(f"LCRON, τ = {tau}", temperature=tau) for tau in ("1", "20", "50", "100", "200", "1000")
}
_OPERATORS = {f"lcron_{operator}": _operator(operator) for operator in get_args(OperatorKind)}

GROUPS: Mapping[str, Mapping[str, Method]] = types.MappingProxyType(
    {
        "all": _PAPER,
        "ablations": {REFERENCE: _PAPER[REFERENCE]} | _ABLATIONS,
        "weights": {REFERENCE: _PAPER[REFERENCE]} | _WEIGHTS,
        "temperatures": _TEMPERATURES,
        "operators": _OPERATORS,
    }
)
"""Methods by the name of their group."""

METHODS: Mapping[str, Method] = types.MappingProxyType(
    {name: method for group in GROUPS.values() for name, method in group.items()}
)


def choose_methods(names: str) -> tuple[str, ...]:
    """Returns the methods that comma-separated names of methods and groups stand for, each once, in their order.

    Raises:
      ValueError: there is none, or a name is neither.
    """
    chosen: dict[str, None] = {}
    for name in (part.strip() for part in names.split(",") if part.strip()):
        if name not in GROUPS and name not in METHODS:
            known = f"groups ({', '.join(GROUPS)}) or methods ({', '.join(METHODS)})"
            raise ValueError(f"`methods` must name {known}. Received: {name!r}")
        chosen |= dict.fromkeys(GROUPS.get(name, [name]))
    if not chosen:
        raise ValueError(f"`methods` must name at least one method or group. Received: {names!r}")
    return tuple(chosen)
