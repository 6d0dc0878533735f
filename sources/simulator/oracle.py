"""The best recall that any recommender can reach in a simulated world."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from sources.recflow.layout import GROUP_SIZE
from sources.simulator.funnel import Logged

ORACLE_FILE = "oracle.json"
CUTS = (10, 20, 50, 100)


class Oracle:
    """Recall of a ranker that knows the true affinity, over the whole catalogue.

    The funnel's errors are independent of everything that can be known, so no ranker does better on average.
    """

    def __init__(self) -> None:
        self._num_requests = 0
        self._num_found = {name: dict.fromkeys(CUTS, 0) for name in ("rank_pos", "rerank_pos")}

    def add(self, affinity: np.ndarray, logged: Logged) -> None:
        """Adds requests: true affinity of every item, float32 `[B, N]`, and what the funnel logged of them."""
        cuts = [cut for cut in CUTS if cut <= affinity.shape[1]]
        ordered = np.partition(affinity, [-cut for cut in cuts], axis=1)
        truth = {"rank_pos": logged.rank_pos, "rerank_pos": np.arange(logged.item.shape[1]) < GROUP_SIZE}
        for cut in CUTS:
            threshold = ordered[:, -cut][:, None] if cut in cuts else -np.inf
            found = logged.affinity >= threshold
            for name, where in truth.items():
                self._num_found[name][cut] += int((found & where).sum())
        self._num_requests += len(affinity)

    @classmethod
    def merge(cls, parts: Iterable["Oracle"]) -> "Oracle":
        """Returns the oracle of all requests of `parts`."""
        whole = cls()
        for part in parts:
            whole._num_requests += part._num_requests
            for name, found in part._num_found.items():
                for cut in CUTS:
                    whole._num_found[name][cut] += found[cut]
        return whole

    def recall(self) -> dict[str, dict[str, float]]:
        """Returns ground truth name to cut to recall."""
        total = self._num_requests * GROUP_SIZE
        return {
            name: {str(cut): round(found[cut] / total, 6) for cut in CUTS} for name, found in self._num_found.items()
        }


def write_oracle(data_dir: Path, content: Mapping[str, object]) -> None:
    (data_dir / ORACLE_FILE).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_oracle(data_dir: Path) -> dict | None:
    """Returns what `write_oracle` wrote, or `None` if there is nothing readable."""
    try:
        content = json.loads((data_dir / ORACLE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
