"""What a user does with the items that were shown."""

import numpy as np

from sources.recflow.layout import FEEDBACK_COLUMNS
from sources.simulator.config import SimulatorConfig
from sources.simulator.funnel import Logged
from sources.simulator.world import Items

EFFECTIVE_SHARE = 0.3
_TYPICAL_AFFINITY = 0.9
_ACTION_RATES = {"like": 0.06, "follow": 0.01, "forward": 0.01, "comment": 0.015}


def draw_feedback(
    logged: Logged, items: Items, config: SimulatorConfig, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Returns the feedback columns of the shown items, the first `config.realshow_size` of each row.

    The share of a video that is watched rises with the true affinity: effective from 30 %, long from 100 %.

    Returns:
      int64 `[B, realshow_size]` for each of `FEEDBACK_COLUMNS`.
    """
    item = logged.item[:, : config.realshow_size]
    affinity = logged.affinity[:, : config.realshow_size].astype(np.float64)
    mood = 3 * (affinity - _TYPICAL_AFFINITY) + 0.8 * rng.standard_normal(item.shape)
    share = 0.6 + 0.8 * mood / (1 + np.abs(mood))
    share = np.maximum(share, 0)
    duration = items.duration_ms[item]
    playing_time = np.rint(share * duration).astype(np.int64)
    feedback = {
        "playing_time": playing_time,
        "effective_view": (playing_time >= EFFECTIVE_SHARE * duration).astype(np.int64),
        "long_view": (playing_time >= duration).astype(np.int64),
    }
    for action, rate in _ACTION_RATES.items():
        feedback[action] = (rng.random(item.shape) < 2 * rate * share).astype(np.int64)
    return {name: feedback[name] for name in FEEDBACK_COLUMNS}
