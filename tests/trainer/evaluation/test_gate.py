import pytest

from trainer.evaluation.gate import Gate, decide

POPULARITY = {"ground_truth": {"recall@50": 0.2}, "exposures": {"recall@50": 0.25}}
METRICS = {"recall@50": 0.4, "list/recall": 0.8}


def test_blessed_without_a_baseline() -> None:
    decision = decide(Gate(), METRICS, default_metric="recall@50", popularity=POPULARITY)
    assert decision.blessed
    assert decision.reasons == ()
    assert decision.notes == ("there is no baseline release to compare with",)


@pytest.mark.parametrize(
    ("gate", "options", "reason"),
    [
        pytest.param(
            Gate(minimum={"list/recall": 0.8, "recall@50": 0.45}),
            {},
            "recall@50 is 0.4000, below the minimum of 0.4500",
            id="minimum",
        ),
        pytest.param(
            Gate(popularity_factor=2),
            {},
            "recall@50 is 0.4000, below 2 times popularity's 0.2500 (exposures)",
            id="popularity",
        ),
        pytest.param(
            Gate(max_regression=0.1),
            {"baseline": {"recall@50": 0.5}},
            "recall@50 fell from 0.5000 to 0.4000, 20.0% where 10.0% is allowed",
            id="regression",
        ),
        pytest.param(
            Gate(metric="list/recall", popularity_factor=None),
            {"baseline": {"list/recall": 0.9}},
            "list/recall fell from 0.9000 to 0.8000, 11.1% where 2.0% is allowed",
            id="regression of another metric",
        ),
        pytest.param(
            Gate(block_on_incompatible_baseline=True),
            {"baseline_error": "no SavedModel"},
            "the baseline release could not be evaluated: no SavedModel",
            id="incompatible baseline",
        ),
        pytest.param(
            Gate(),
            {"num_excluded_returned": 12},
            "retrieval returned 12 excluded items, none are allowed",
            id="excluded items",
        ),
    ],
)
def test_reasons(gate: Gate, options: dict, reason: str) -> None:
    decision = decide(gate, METRICS, default_metric="recall@50", popularity=POPULARITY, **options)
    assert not decision.blessed
    assert decision.reasons == (reason,)


def test_all_reasons_are_given() -> None:
    gate = Gate(minimum={"recall@50": 0.5, "list/recall": 0.9}, popularity_factor=3)
    decision = decide(gate, METRICS, default_metric="recall@50", popularity=POPULARITY, baseline={"recall@50": 1.0})
    assert len(decision.reasons) == 4


def test_bars_that_are_just_reached_pass() -> None:
    gate = Gate(minimum={"recall@50": 0.4}, popularity_factor=1.6, max_regression=0.2)
    baseline = {"recall@50": 0.5}
    assert decide(gate, METRICS, default_metric="recall@50", popularity=POPULARITY, baseline=baseline).blessed


def test_incompatible_baseline_is_a_note_unless_it_blocks() -> None:
    gate = Gate(block_on_incompatible_baseline=False)
    decision = decide(gate, METRICS, default_metric="recall@50", popularity=POPULARITY, baseline_error="no models")
    assert decision.blessed
    assert decision.notes == ("the baseline release could not be evaluated: no models",)


def test_nan_passes_no_bar() -> None:
    gate = Gate(minimum={"recall@50": 0.1}, max_regression=0.2)
    metrics = {**METRICS, "recall@50": float("nan")}
    decision = decide(gate, metrics, default_metric="recall@50", popularity=POPULARITY, baseline={"recall@50": 0.1})
    assert len(decision.reasons) == 3


@pytest.mark.parametrize("gate", [Gate(minimum={"recall@7": 0.1}), Gate(metric="recall@7")])
def test_unknown_metric(gate: Gate) -> None:
    with pytest.raises(ValueError, match=r"names no metric here. Expected one of .*'recall@50'.*Received: 'recall@7'"):
        decide(gate, METRICS, default_metric="recall@50", popularity=POPULARITY)


@pytest.mark.parametrize("values", [{"max_regression": 1.0}, {"max_regression": -0.1}, {"popularity_factor": -1.0}])
def test_bad_values(values: dict) -> None:
    (name,) = values
    with pytest.raises(ValueError, match=rf"`{name}` must .* Received: {name}={values[name]}"):
        Gate(**values)
