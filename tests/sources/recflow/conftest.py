"""A hand-made RecFlow day with two requests, small enough to know every number of its records."""

import pickle
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sources.recflow import layout

DAY = "2024-01-13"
MIDNIGHT_MS = 1_705_075_200_000
"""2024-01-13 00:00 in Asia/Shanghai."""

REQUEST_MS = MIDNIGHT_MS + 36_000_000
HOUR_MS = 3_600_000


def candidate_rows(*videos: int) -> np.ndarray:
    """Candidate rows whose features are functions of the video id."""
    return np.array([[v, 10 * v, 1000 * v, v % 7, v % 3, 1_700_000_000 + v, v % 5, 0] for v in videos])


def history_rows(*events: tuple[int, int, int], size: int = 50) -> np.ndarray:
    """A right-aligned history of `(video, time_ms, playing_time_ms)`."""
    rows = np.zeros((size, 10), np.int64)
    for row, (v, time_ms, playing_ms) in enumerate(events, start=size - len(events)):
        rows[row] = [v, 10 * v, v % 7, v % 5, v % 3, 1_700_000_000 + v, 1000 * v, time_ms, playing_ms, 1]
    return rows


def frame(*rows: Mapping[str, int]) -> pd.DataFrame:
    """Feather rows; columns that a row leaves out are zero."""
    columns = {name: [row.get(name, 0) for row in rows] for name in layout.FEATHER_COLUMNS}
    return pd.DataFrame(columns, dtype=np.int64)


def logged(request: int, video: int, **columns: int) -> dict[str, int]:
    """One feather row of a request of user 4."""
    return {
        "request_id": request,
        "user_id": 4,
        "request_timestamp": REQUEST_MS,
        "device_id": 9,
        "age": 2,
        "gender": 1,
        "province": 30,
        "video_id": video,
        **columns,
    }


class RecFlowFolder:
    """A RecFlow data set of one day whose parts a test replaces before `write`."""

    REQUEST_MS = REQUEST_MS
    HOUR_MS = HOUR_MS
    candidate_rows = staticmethod(candidate_rows)
    history_rows = staticmethod(history_rows)
    frame_of = staticmethod(frame)
    logged = staticmethod(logged)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.day = DAY
        self.frame = frame(
            logged(1, 11, rank_pos=1, rank_index=2, rerank_neg=1, rerank_index=13),
            logged(1, 12, rank_pos=1, rank_index=1, rerank_pos=1, rerank_index=3),
            logged(1, 13, rank_neg=1, rank_index=40),
            logged(2, 12, rank_pos=1, rank_index=4, rerank_pos=1, rerank_index=1),
        )
        self.histories: Any = {
            1: history_rows((5, REQUEST_MS - 3 * HOUR_MS, 1600), (6, REQUEST_MS - 1, 6000)),
            2: history_rows(),
        }
        self.candidates: Any = {
            1: {
                "realshow": candidate_rows(12),
                "rerank_pos": candidate_rows(12),
                "rerank_neg": candidate_rows(11),
                "rank_pos": candidate_rows(11, 12),
                "rank_neg": candidate_rows(13),
                "coarse_neg": candidate_rows(14, 15),
                "prerank_neg": candidate_rows(16),
            },
            2: {"rank_pos": candidate_rows(12), "rerank_pos": candidate_rows(12)},
        }
        self.counted: Counter[str] = Counter()

    def count(self, name: str, number: int) -> None:
        self.counted[name] += number

    def feather(self) -> Path:
        return layout.feather_path(self.path, layout.ALL_STAGE, self.day)

    def pickle(self, folder: str) -> Path:
        return layout.pickle_path(self.path, folder, self.day)

    def write(self) -> Path:
        for folder in (layout.ALL_STAGE, layout.HISTORIES, layout.CANDIDATES):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        self.frame.to_feather(self.feather())
        self.pickle(layout.HISTORIES).write_bytes(pickle.dumps(self.histories))
        self.pickle(layout.CANDIDATES).write_bytes(pickle.dumps(self.candidates))
        return self.path


@pytest.fixture
def folder(tmp_path: Path) -> RecFlowFolder:
    return RecFlowFolder(tmp_path / "recflow")
