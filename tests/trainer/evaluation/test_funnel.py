from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation.catalogue import read_catalogue
from trainer.evaluation.funnel import Funnel, run_funnel
from trainer.evaluation.pairs import NOWHERE
from trainer.evaluation.requests import read_requests
from trainer.evaluation.stage_models import load_stage_models
from trainer.evaluation.subject import read_candidate
from trainer.reporting import Progress

SILENT = Progress(None, "", 0)


def run(world: dict, release_dir: str) -> Funnel:
    models = load_stage_models(read_candidate(release_dir))
    catalogue = read_catalogue(world["catalogue_files"])
    requests = read_requests(world["request_files"], catalogue, ground_truth_stage=3, batch_size=3)
    return run_funnel(models, requests, catalogue, batch_size=3, progress=SILENT)


def test_positions(world: dict, two_stage_dir: str) -> None:
    funnel = run(world, two_stage_dir)
    # r1: a b c → c b, wanted c a d x; r2: b c d → d c, wanted a b d c; r4: e d c → c d, wanted d
    assert funnel.positions.tolist() == [
        [2, 0, NOWHERE, NOWHERE, NOWHERE, 0, 2, 1, 1],
        [0, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE, 0, 1, 1],
    ]
    assert funnel.excluded.tolist() == [False, False, False, False, True, False, False, False, False]
    assert funnel.num_excluded_returned == 0


def test_three_stages(world: dict, write_release: Callable) -> None:
    stages = [
        ("retrieval", 4, None, {"*": (5, 4, 3, 2, 1)}),
        ("preranking", 2, None, {"*": (1, 9, 2, 8, 9)}),
        ("ranking", 1, None, {"*": (1, 2, 3, 4, 5)}),
    ]
    funnel = run(world, write_release("abcde", stages))
    # r1: a b c d → b d → d; r2, without a: b c d e → b e → e; r4 as r1
    assert funnel.attribution(1) == {
        "excluded": 1,
        "not_in_catalogue": 1,
        "lost_in_retrieval": 0,
        "lost_in_preranking": 4,
        "lost_in_ranking": 1,
        "delivered": 2,
    }
    assert funnel.metrics([1])["funnel/preranking/recall"] == pytest.approx(3 / 9)


def test_excluded_items_that_are_returned_are_counted_and_are_no_hits(world: dict, write_release: Callable) -> None:
    stages = [("retrieval", 3, None, {"*": (5, 4, 3, 2, 1)}), ("ranking", 2, None, {"*": (5, 4, 3, 2, 1)})]
    funnel = run(world, write_release("abcde", stages, ignore_exclusions=True))
    assert funnel.num_excluded_returned == 1
    # Every request gets a b: r1 hits a, r2 hits b but not the excluded a.
    assert funnel.hits(2).tolist() == [False, True, False, False, False, True, False, False, False]
    assert funnel.attribution(2)["excluded"] == 1


def test_capacity_beyond_the_catalogue(world: dict, write_release: Callable) -> None:
    stages = [("retrieval", 9, None, {"*": (5, 4, 3, 2, 1)}), ("ranking", 8, None, {"*": (5, 4, 3, 2, 1)})]
    assert run(world, write_release("abcde", stages)).attribution(8) == {
        "excluded": 1,
        "not_in_catalogue": 1,
        "lost_in_retrieval": 0,
        "lost_in_ranking": 0,
        "delivered": 7,
    }


def test_scores_that_are_not_numbers(world: dict, write_release: Callable) -> None:
    stages = [("retrieval", 3, None, {"*": (5, 4, 3, 2, 1)}), ("ranking", 2, None, {"*": (1, 2, np.nan, 4, 5)})]
    with pytest.raises(ValueError, match="The model of stage 'ranking' scored items with NaN"):
        run(world, write_release("abcde", stages))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.integers(0, 8), st.integers(0, 8), st.integers(0, 8)), min_size=1
    ),
    st.integers(1, 5),
)
def test_attribution_sums_to_the_ground_truth(items: list[tuple[bool, bool, int, int, int]], k: int) -> None:
    excluded, in_catalogue, *positions = (np.array(column) for column in zip(*items, strict=True))
    capacities = (8, 6, 5)
    stage_positions = np.stack([np.where(p < c, p, NOWHERE) for p, c in zip(positions, capacities, strict=True)])
    for stage in range(3):  # What a stage does not pass on, no later one can; unknown items pass none.
        gone = ~in_catalogue if stage == 0 else stage_positions[stage - 1] == NOWHERE
        stage_positions[stage] = np.where(gone, NOWHERE, stage_positions[stage])
    funnel = Funnel(
        ("retrieval", "preranking", "ranking"),
        capacities,
        np.arange(len(items)),
        excluded,
        in_catalogue,
        stage_positions,
    )
    counts = funnel.attribution(k)
    assert sum(counts.values()) == len(items)
    assert counts["delivered"] == funnel.hits(k).sum()
    assert counts["excluded"] == excluded.sum()
    assert funnel.positions.tolist() == stage_positions.tolist()
