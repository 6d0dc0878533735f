import pytest

from pipeline.comparison.compare import Comparison, Failure
from pipeline.comparison.config import BenchmarkConfig
from pipeline.comparison.outcome import Outcome, outcome_path, read_outcome
from pipeline.comparison.plot import plot
from pipeline.comparison.report import figures, results

CONFIG = BenchmarkConfig(headline="list/recall", paper="two_stage")
RECALLS = {"bce": (0.50, 0.52, 0.51), "arf": (0.60, 0.61, 0.65), "lcron": (0.60, 0.63, 0.61)}


def outcome(method: str, seed: int, recall: float) -> Outcome:
    return Outcome(method, seed, "key", {"list/recall": recall, "recall@10": 0.25}, 10.0, 20.0, 1000)


COMPARISON = Comparison(
    tuple(outcome(method, seed, recall) for method, recalls in RECALLS.items() for seed, recall in enumerate(recalls)),
    (Failure("icc", 2, "DivergedError: the loss"),),
)


def test_tables_hold_means_leads_and_the_paper():
    text = results(COMPARISON, CONFIG, {"commit": "abc"})
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")]
        for line in text.split("\n\n")[1].splitlines()
        if "|" in line
    }
    assert text.startswith("- commit: abc\n")
    # Differences 0.10, 0.11, 0.10: mean 0.1033, deviation 0.00577, t of two degrees of freedom 4.3027.
    assert rows["BCE (independent stages)"][2:7] == [
        "0.5100 ± 0.0100",
        "+0.1033 ± 0.0143",
        "0.002",
        "10",
        "0.8539 ± 0.0006",
    ]
    assert rows["LCRON"][2:7] == ["0.6133 ± 0.0153", "", "", "10", "0.8732 ± 0.0005"]
    assert "| ARF                      | 0.6200        | 0.2500      |" in text
    assert "- LCRON is above BCE (independent stages): **holds** (+0.1033 ± 0.0143)" in text
    assert "- LCRON is above ARF: **not shown**" in text
    assert "- ICC, seed 2: DivergedError: the loss" in text


def test_figures_hold_every_seed():
    plain = figures(COMPARISON, CONFIG, {"commit": "abc"})
    assert plain["methods"]["arf"]["by_seed"]["2"] == {"list/recall": 0.65, "recall@10": 0.25}
    assert plain["methods"]["arf"]["mean"]["list/recall"] == pytest.approx(0.62)
    assert plain["lead_of_lcron"]["bce"]["mean"] == pytest.approx(0.31 / 3)
    assert plain["failures"] == ["icc 2: DivergedError: the loss"]


def test_one_seed_has_no_deviation():
    single = Comparison(tuple(outcome(method, 0, recalls[0]) for method, recalls in RECALLS.items()), ())
    assert "| 0.5000        | +0.1000        |            | 10 " in results(single, BenchmarkConfig(), {})
    assert figures(single, CONFIG, {})["lead_of_lcron"]["bce"] == {
        "mean": pytest.approx(0.1),
        "margin": None,
        "p_value": None,
    }


def test_the_picture_names_every_method(tmp_path):
    plot(COMPARISON, "list/recall", tmp_path / "results.svg")
    assert (tmp_path / "results.svg").read_text().count("<svg") == 1
    plot(COMPARISON, "list/recall", tmp_path / "results.png")
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")


def test_an_outcome_is_taken_again_only_on_equal_terms(tmp_path):
    written = outcome("bce", 3, 0.5)
    written.write(tmp_path)
    assert read_outcome(tmp_path, "bce", 3, "key") == written
    assert read_outcome(tmp_path, "bce", 3, "other") is None
    assert read_outcome(tmp_path, "bce", 4, "key") is None
    outcome_path(tmp_path, "bce", 3).write_text('{"method": "bce"')
    assert read_outcome(tmp_path, "bce", 3, "key") is None


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"`paper` must be one of two_stage, three_stage. Received: .*four_stage"):
        BenchmarkConfig(paper="four_stage")
    with pytest.raises(
        ValueError, match=r"`max_catalogue_requests` must be at least 1. Received: max_catalogue_requests=0"
    ):
        BenchmarkConfig(max_catalogue_requests=0)
