"""The RecFlow file layout: folders, columns, stages and the lists that are made from them."""

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path

ALL_STAGE = "all_stage"
REALSHOW = "realshow"
HISTORIES = "seq_effective_50_dict"
CANDIDATES = "request_id_dict"
ID_COUNTS = Path("others") / "id_cnt.pkl"

CONTEXT_COLUMNS = (
    "request_id",
    "user_id",
    "request_timestamp",  # milliseconds
    "device_id",
    "age",
    "gender",
    "province",
)
ITEM_COLUMNS = (
    "video_id",
    "author_id",
    "category_level_one",
    "category_level_two",
    "upload_type",
    "upload_timestamp",  # seconds
    "duration",  # milliseconds
)
FEEDBACK_COLUMNS = ("playing_time", "effective_view", "long_view", "like", "follow", "forward", "comment")

STAGES = ("realshow", "rerank_pos", "rerank_neg", "rank_pos", "rank_neg", "coarse_neg", "prerank_neg")
"""Keys of a request's candidates, and flag columns of the feather files."""

RANK_COLUMNS = ("rank_index", "rerank_index")
"""Position of the item in that stage, 1 = best."""

FEATHER_COLUMNS = (*CONTEXT_COLUMNS, *ITEM_COLUMNS, *STAGES, *RANK_COLUMNS, *FEEDBACK_COLUMNS)

GROUP_SIZE = 10
"""Items of one stage in a list."""

HISTORY_SIZE = 50
"""Rows of a stored history."""


class HistoryColumn(enum.IntEnum):
    """Columns of a history array, `[50, 10]`: right-aligned, unused rows are zero."""

    VIDEO = 0
    AUTHOR = 1
    CATEGORY_LEVEL_TWO = 2
    CATEGORY_LEVEL_ONE = 3
    UPLOAD_TYPE = 4
    UPLOAD_TIME_S = 5
    DURATION_MS = 6
    REQUEST_TIME_MS = 7
    PLAYING_TIME_MS = 8
    REQUEST = 9


class CandidateColumn(enum.IntEnum):
    """Columns of one stage's candidate array, `[n, 8]`."""

    VIDEO = 0
    AUTHOR = 1
    DURATION_MS = 2
    CATEGORY_LEVEL_TWO = 3
    UPLOAD_TYPE = 4
    UPLOAD_TIME_S = 5
    CATEGORY_LEVEL_ONE = 6
    EFFECTIVE_VIEW = 7


@dataclasses.dataclass(frozen=True)
class ListLayout:
    """Which stages a list is made of and how its items are labelled: `label = 30 - index`.

    Args:
      stages: stage names, deepest first; the first is the ground truth.
      rank_column: feather column that holds the `index` of the ground truth.
      negative_indices: the constant `index` of each later stage.
    """

    stages: tuple[str, ...]
    rank_column: str
    negative_indices: tuple[int, ...]

    @property
    def worst_index(self) -> int:
        """The largest `index` that keeps the ground truth above every negative."""
        return self.negative_indices[0] - 1


LISTS: Mapping[str, ListLayout] = {
    "two_stage": ListLayout(
        stages=("rank_pos", "rank_neg", "coarse_neg", "prerank_neg"),
        rank_column="rank_index",
        negative_indices=(23, 24, 25),
    ),
    "three_stage": ListLayout(
        stages=("rerank_pos", "rerank_neg", "rank_neg", "coarse_neg", "prerank_neg"),
        rank_column="rerank_index",
        negative_indices=(22, 23, 24, 25),
    ),
}

MAX_INDEX = 30
"""`label = MAX_INDEX - index`."""


def feather_path(data_dir: Path, folder: str, day: str) -> Path:
    return data_dir / folder / f"{day}.feather"


def pickle_path(data_dir: Path, folder: str, day: str) -> Path:
    return data_dir / folder / f"{day}.pkl"
