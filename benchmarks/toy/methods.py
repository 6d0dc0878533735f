"""The methods and the settings that `benchmarks.toy` compares."""

import dataclasses
from typing import Any

from benchmarks.toy.world import World
from trainer.config.losses import (
    Arf,
    ArfV2,
    Bce,
    FsLambdaLoss,
    FsRankNet,
    Icc,
    Lcron,
    LossConfig,
    Permutation,
    RankFlow,
)

LEARNING_RATES = (0.02, 0.005, 0.08)  # the first is the one that a method's own settings are chosen at
REFERENCE = "lcron"


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to train the cascade.

    Args:
      title: its name in the report.
      losses: what it may be, by a word for the setting that is its own; the validation requests choose.
      baseline: whether the paper compares LCRON with it; the others are variants of LCRON.
    """

    title: str
    losses: dict[str, LossConfig]
    baseline: bool = False


def _lcron(title: str, **settings: Any) -> Method:
    return Method(title, {"": LossConfig(Lcron(**settings))})


def _baseline(title: str, losses: dict[str, LossConfig]) -> Method:
    return Method(title, losses, baseline=True)


# The temperature of a sort is not among the choices: the towers set the scale of their scores themselves, so that for a
# loss which sees nothing but their ratio to the temperature it changes the start and the pace only.
METHODS: dict[str, Method] = {
    "bce": _baseline("BCE", {"": LossConfig(Bce())}),
    "icc": _baseline("ICC", {f"τ = {t:g}": LossConfig(Icc(t)) for t in (0.1, 0.5, 0.02)}),
    "rank_flow": _baseline(
        "RankFlow",
        {f"pair {w:g}": LossConfig(RankFlow(1.0, w)) for w in (0.0, 1.0)},
    ),
    "fs_ranknet": _baseline("FS-RankNet", {"": LossConfig(FsRankNet())}),
    "fs_lambda_loss": _baseline(
        "FS-LambdaLoss",
        {f"smoothing {s:g}": LossConfig(FsLambdaLoss(smoothing=s)) for s in (0.8, 0.0, 0.5)},
    ),
    "arf": _baseline("ARF", {"": LossConfig(Arf())}),
    "arf_v2": _baseline("ARF-v2", {"": LossConfig(ArfV2())}),
    "permutation": _baseline("NeuralSort alone", {"": LossConfig(Permutation())}),
    REFERENCE: _lcron("LCRON"),
    "lcron_without_e2e": _lcron("LCRON without L_e2e", end_to_end_weight=0.0),
    "lcron_without_single": _lcron("LCRON without L_single", single_weight=0.0),
    "lcron_learned_e2e": _lcron("LCRON, weight of L_e2e learned too", end_to_end_weight=None),
    "lcron_light_single": _lcron("LCRON, L_single × 0.1", single_weight=0.1),
    "lcron_capacities": _lcron("LCRON at the capacities", use_list_capacities=True),
    "lcron_capacities_light_single": _lcron(
        "LCRON at the capacities, L_single × 0.1", use_list_capacities=True, single_weight=0.1
    ),
    "lcron_capacities_without_single": _lcron(
        "LCRON at the capacities without L_single", use_list_capacities=True, single_weight=0.0
    ),
    "lcron_fermi_dirac": _lcron("LCRON with entropic top-k", operator="fermi_dirac", temperature=1.0),
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """A world and the capacities of its cascade.

    Args:
      title: its name in the report.
      world: the world.
      capacities: items that retrieval and ranking pass on of a list of 40.
    """

    title: str
    world: World
    capacities: tuple[int, int]


SETTINGS: dict[str, Setting] = {
    "blind": Setting("ranking sees 8 of 12 tastes, 40 → 30 → 20", World(), (30, 20)),
    "blind_tight": Setting("ranking sees 8 of 12 tastes, 40 → 20 → 12", World(), (20, 12)),
    "seeing": Setting("ranking sees all 12 tastes, 40 → 20 → 12", World(seen_tastes=12), (20, 12)),
}
