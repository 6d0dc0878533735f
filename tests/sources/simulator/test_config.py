"""The configuration refuses worlds that cannot be."""

import dataclasses

import pytest

from sources.simulator import SimulatorConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_users": 0}, "`num_users` must be at least 1. Received: num_users=0"),
        ({"requests_per_day": -1}, "`requests_per_day` must be at least 1. Received: requests_per_day=-1"),
        ({"seed": -1}, "`seed` must be at least 0. Received: seed=-1"),
        ({"rank_noise": -0.1}, "`rank_noise` must be at least 0. Received: rank_noise=-0.1"),
        ({"new_item_share": 1.5}, "`new_item_share` must be at most 1. Received: new_item_share=1.5"),
        (
            {"num_categories_level_two": 3},
            "`num_categories_level_two` must be at least num_categories_level_one=8. Received: "
            "num_categories_level_two=3",
        ),
        (
            {"realshow_size": 11},
            "`realshow_size` must be at most 10, the items that re-ranking keeps. Received: realshow_size=11",
        ),
        (
            {"coarse_size": 29},
            "`coarse_size` must be at least 30, ten more than the next stage takes. Received: coarse_size=29",
        ),
        (
            {"prerank_size": 109},
            "`prerank_size` must be at least 110, ten more than the next stage takes. Received: prerank_size=109",
        ),
        (
            {"num_items": 700, "recall_size": 596},
            "`recall_size` must be at most the 595 items that are uploaded before the first day. Received: "
            "recall_size=596",
        ),
        (
            {"start_day": "13.1.2024"},
            "`start_day` must be an ISO day such as '2024-01-13'. Received: start_day='13.1.2024'",
        ),
        (
            {"time_zone": "Mars"},
            "`time_zone` must be an IANA time zone such as 'Asia/Shanghai'. Received: time_zone='Mars'",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_refuses(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match="Received") as caught:
        SimulatorConfig(**changes)
    assert str(caught.value) == message


def test_days_start_at_midnight_of_the_zone() -> None:
    config = SimulatorConfig(start_day="2024-02-28", num_days=3, requests_per_day=10)
    assert [config.day(index) for index in range(3)] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert config.midnight_ms(1) == 1_709_136_000_000  # 2024-02-28 16:00 UTC
    assert dataclasses.replace(config, time_zone="UTC").midnight_ms(1) == 1_709_164_800_000
    assert config.num_requests == 30
