import dataclasses
import html.parser
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from trainer.evaluation.config import EvaluationConfig
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.gate import Decision
from trainer.evaluation.report import render_report
from trainer.evaluation.result import EvaluationResult
from trainer.evaluation.subject import read_candidate


class Checker(html.parser.HTMLParser):
    """Collects the tags left open and everything that a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data", "srcset")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        assert tag not in ("script", "link", "iframe", "object")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def result(two_stage_dir: str, world: dict) -> EvaluationResult:
    config = EvaluationConfig(ks=(1, 2), popularity_days=None)
    release = read_candidate(two_stage_dir)
    return evaluate(config, release, baseline=release, **world)


def test_page_is_whole_and_self_contained(result: EvaluationResult) -> None:
    page = render_report(result)
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert all(target.startswith("#") for target in checker.loaded)
    assert {target[1:] for target in checker.loaded} <= set(checker.ids)
    assert not re.search(r"@import|url\((?!#)", page)
    assert len(checker.ids) == len(set(checker.ids))


def test_plots_are_valid_svg(result: EvaluationResult) -> None:
    plots = re.findall(r"<svg.*?</svg>", render_report(result), flags=re.DOTALL)
    assert len(plots) == 4  # recall, attribution, two dimensions of slices
    for plot in plots:
        root = ElementTree.fromstring(plot)
        assert root.attrib["aria-label"]
        assert len(root.findall(".//{http://www.w3.org/2000/svg}path")) > 5


def test_page_says_what_was_found(result: EvaluationResult) -> None:
    page = render_report(result)
    assert "<title>Blessed: recall@2 0.4444</title>" in page
    assert '<tr class="top">' in page
    assert "5 items" in page
    assert "4 requests, 1 of them" in page
    assert "Why it is not blessed" not in page


def test_reasons_are_shown_and_escaped(result: EvaluationResult) -> None:
    refused = dataclasses.replace(
        result, decision=Decision(False, ("a <b> & c",)), baseline=None, baseline_error="gone"
    )
    page = render_report(refused)
    assert "<title>Not blessed: recall@2 0.4444</title>" in page
    assert "<li>a &lt;b&gt; &amp; c</li>" in page
    assert "could not be evaluated" in page


def test_possible_best_is_shown(result: EvaluationResult) -> None:
    assert "0.8765" in render_report(dataclasses.replace(result, oracle={"recall@2": 0.8765}))


def test_a_release_that_delivers_nothing(result: EvaluationResult) -> None:
    nothing = dict.fromkeys(result.metrics, 0.0)
    popularity = {name: dict.fromkeys(values, 0.0) for name, values in result.popularity.items()}
    page = render_report(dataclasses.replace(result, metrics=nothing, baseline=nothing, popularity=popularity))
    assert "delivered nothing" in page


def test_json_round_trip(result: EvaluationResult) -> None:
    assert EvaluationResult.from_json(result.to_json()) == result


def test_json_keys_are_stable(result: EvaluationResult) -> None:
    values = json.loads(result.to_json())
    assert {"decision", "metrics", "intervals", "popularity", "baseline", "attribution", "slices", "ks"} <= set(values)
    assert set(values["decision"]) == {"blessed", "reasons", "notes"}
    assert set(values["slices"][0]) == {
        "dimension",
        "value",
        "k",
        "num_requests",
        "num_ground_truth",
        "recall",
        "recall_low",
        "recall_high",
        "mean_recall",
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"metrics": {}}'])
def test_bad_json(text: str) -> None:
    with pytest.raises(ValueError, match="EvaluationResult"):
        EvaluationResult.from_json(text)
