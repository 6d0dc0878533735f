"""The numbers of the LCRON paper (arXiv 2503.09492), measured on RecFlow's real logs, to stand beside ours."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Number:
    """Mean and standard deviation over the paper's five runs; `None` where it gives no deviation."""

    mean: float
    std: float | None = None

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if self.std is None else f" ± {self.std:.4f}")


TABLES: Mapping[str, Mapping[str, Number]] = {
    # Joint Recall@10@20: Table 2; Table 3 (without a term); Table 4 (weights); Table 7 (operators); Table 8 (τ); E.1.
    "two_stage": {
        "bce": Number(0.8539, 0.0006),
        "icc": Number(0.8132, 0.0003),
        "rank_flow": Number(0.8647, 0.0007),
        "fs_ranknet": Number(0.7881, 0.0007),
        "fs_lambda_loss": Number(0.8666, 0.0016),
        "arf": Number(0.8608, 0.0006),
        "arf_v2": Number(0.8678, 0.0009),
        "lcron": Number(0.8732, 0.0005),
        "lcron_without_e2e": Number(0.8710, 0.0013),
        "lcron_without_single": Number(0.8712, 0.0004),
        "lcron_capacities": Number(0.8714, 0.0008),
        "neural_sort_alone": Number(0.8210, 0.0016),
        "soft_sort_alone": Number(0.8103, 0.0013),
        "lcron_neural_sort": Number(0.8732, 0.0005),
        "lcron_soft_sort": Number(0.8723, 0.0008),
        "lcron_single_0.01": Number(0.8712),
        "lcron_single_0.1": Number(0.8706),
        "lcron_single_0.5": Number(0.8705),
        "lcron_single_1": Number(0.8723),
        "lcron_single_2": Number(0.8731),
        "lcron_single_5": Number(0.8733),
        "lcron_tau_1": Number(0.8701),
        "lcron_tau_20": Number(0.8709),
        "lcron_tau_50": Number(0.8732),
        "lcron_tau_100": Number(0.8722),
        "lcron_tau_200": Number(0.8721),
        "lcron_tau_1000": Number(0.8716),
    },
    # Table 6.
    "three_stage": {
        "bce": Number(0.7191, 0.0005),
        "icc": Number(0.6386, 0.0071),
        "rank_flow": Number(0.7308, 0.0005),
        "fs_ranknet": Number(0.6200, 0.0010),
        "fs_lambda_loss": Number(0.7319, 0.0038),
        "arf": Number(0.7256, 0.0004),
        "arf_v2": Number(0.7332, 0.0020),
        "lcron": Number(0.7390, 0.0008),
    },
}
"""Joint recall by the name of a method in `pipeline.comparison.methods`."""
