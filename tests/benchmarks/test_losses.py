"""The benchmark of operators and losses: what it runs, how it judges, and smoke runs from the command line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from patience import PATIENCE_S

from benchmarks.losses.__main__ import main
from benchmarks.losses.cases import (
    METHODS,
    OPERATOR_NAMES,
    TRAINING_STEP,
    Case,
    estimated_bytes,
    forms,
    loss_cases,
    operator_cases,
)
from benchmarks.losses.report import Result, page, verdicts
from benchmarks.losses.steps import build
from benchmarks.shared.measure import Measurement, Measurer

MIB = 2**20
FORMS = (", dense", ", streamed")


def _result(part, name, min_s, peak_mib, mode="function", batch_size=8, list_size=4096):
    case = Case(part, name, mode, batch_size, list_size)
    return Result(case, "measured", 0.0, Measurement(min_s, min_s, 1.0, peak_mib * MIB, 3))


@pytest.mark.parametrize("name", forms(OPERATOR_NAMES))
def test_every_operator_has_a_finite_gradient(name):
    gradient = build(Case("operator", name, "eager", 2, 12), False)()
    assert gradient.shape == (2, 12)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_loss_reaches_both_stages(method):
    gradients = build(Case("loss", method, "eager", 2, 40), False)()
    for gradient in gradients[:2]:
        assert gradient.shape == (2, 40)
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


def test_dense_and_streamed_forms_compute_the_same():
    for operator in ("neural_sort", "soft_sort"):
        dense, streamed = (build(Case("operator", operator + form, "eager", 2, 40), False)() for form in FORMS)
        np.testing.assert_allclose(streamed, dense, rtol=1e-4, atol=1e-7)


def test_cases_are_every_form_in_every_mode_at_every_size():
    cases = operator_cases(["neural_sort", "lap_sum"], {40: 1024, 200: 64}, ["eager", "xla"])
    assert len(set(cases)) == 3 * 2 * 2
    assert Case("operator", "neural_sort, streamed", "xla", 64, 200) in cases
    assert Case("operator", "lap_sum", "eager", 1024, 40) in cases
    assert loss_cases(["bce"], 4, 8, ["eager", "xla"]) == [
        Case("loss", "bce", "eager", 4, 8),
        Case("loss", "bce", "xla", 4, 8),
        Case("training_step", TRAINING_STEP, "function", 4, 8),
    ]


def test_a_dense_estimate_grows_with_the_square_of_the_list():
    short, long = (Case("operator", "neural_sort, dense", "xla", 8, size) for size in (1000, 4000))
    assert estimated_bytes(short) == 4 * 4 * 8 * 1000**2
    assert estimated_bytes(long) == 16 * estimated_bytes(short)
    streamed = (Case("operator", "neural_sort, streamed", "xla", 8, size) for size in (1000, 4000))
    first, second = map(estimated_bytes, streamed)
    assert second == 4 * first


def test_verdicts_are_ratios_of_the_fastest_calls():
    share, memory, time = verdicts(
        [
            _result("loss", "lcron", 0.02, 10, list_size=40),
            _result("loss", "lcron", 9.0, 10, mode="xla", list_size=40),
            _result("training_step", TRAINING_STEP, 0.1, 10, list_size=40),
            _result("operator", "neural_sort, dense", 2.0, 1000),
            _result("operator", "neural_sort, streamed", 1.0, 40),
            _result("operator", "soft_sort, dense", 2.0, 1000, mode="xla"),
            _result("operator", "soft_sort, streamed", 3.0, 60, mode="xla"),
            _result("operator", "soft_sort, dense", 2.0, 1000, list_size=40),
            _result("operator", "soft_sort, streamed", 30.0, 1000, list_size=40),
        ]
    )
    assert share.ratios == {"time": pytest.approx(0.2)}
    assert share.holds
    assert memory.ratios == {"neural_sort tf.function": 0.04, "soft_sort XLA": 0.06}
    assert memory.holds is False
    assert time.ratios == {"neural_sort tf.function": 0.5, "soft_sort XLA": 1.5}
    assert str(time) == (
        "at list size 4096 the streamed forms are no slower than the dense ones: does not hold "
        "(neural_sort tf.function 0.500, soft_sort XLA 1.500)"
    )


def test_without_measurements_nothing_is_claimed():
    assert [verdict.holds for verdict in verdicts([])] == [None] * 3
    assert str(verdicts([])[0]).endswith("step of the demo's model: not measured")


def test_a_page_says_what_is_missing_and_why():
    case = Case("operator", "lap_sum", "eager", 8, 4096)
    results = [
        Result(case, "over_memory", 9 * 2**30),
        Result(Case("operator", "lap_sum", "eager", 8, 1000), "over_time", 0.0),
        Result(Case("operator", "lap_sum", "eager", 64, 200), "failed", 0.0, detail="KeyError: 'x'"),
        _result("operator", "lap_sum", 0.0123, 45, mode="eager", batch_size=1024, list_size=40),
    ]
    text = page(results, {"seed": "17"}, 60.0, 8.0)
    row = next(line for line in text.splitlines() if line.startswith("| lap sum"))
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "lap sum",
        "not tried: needs about 9.0 GiB",
        "over the time limit",
        "failed",
        "12.3 (12.3) ms, 45 MiB",
    ]
    assert "- lap sum, eager, 64 x 200: KeyError: 'x'" in text


def test_a_measurement_is_stopped_at_its_time_limit():
    with pytest.raises(TimeoutError, match=r"Took longer than 0.1 s"):
        Measurer("endless", 0.1).measure(None)


def test_an_error_of_a_case_is_reported():
    with pytest.raises(RuntimeError, match=r"KeyError: 'bubble_sort'"):
        Measurer("benchmarks.losses.steps", PATIENCE_S).measure(Case("operator", "bubble_sort", "eager", 2, 8))


def test_a_case_over_the_memory_limit_is_reported_and_not_tried(tmp_path):
    arguments = ["--operators", "neural_sort", "--list-sizes", "4096", "--modes", "function"]
    result = CliRunner().invoke(main, [*arguments, "--memory-limit", "1e-9", "--json", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout.splitlines()[-1])
    assert {case["status"] for case in figures["cases"]} == {"over_memory"}
    dense = figures["cases"][0]
    assert (dense["name"], dense["estimated_bytes"]) == ("neural_sort, dense", 4 * 7 * 8 * 4096**2)
    assert "not tried: needs about 3.5 GiB" in (tmp_path / "operators_benchmark.md").read_text()


def test_smoke_run(tmp_path):
    arguments = ["--smoke", "--operators", "neural_sort", "--modes", "function", "--json", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, "--time-limit", str(PATIENCE_S)])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout.splitlines()[-1])
    assert [case["name"] for case in figures["cases"]] == [*forms(["neural_sort"]), *METHODS[:2], TRAINING_STEP]
    for case in figures["cases"]:
        assert case["status"] == "measured", case
        assert 0 < case["min_s"] <= case["median_s"]
        assert case["first_s"] > 0  # longer than the others, but on a busy machine
        assert case["peak_bytes"] >= 0
    share, memory, time = figures["verdicts"]
    assert share["ratios"]["time"] > 0
    assert memory["holds"] is time["holds"] is None
    assert set(figures["provenance"]) == {"commit", "date", "hardware", "software", "seed", "command"}
    text = (tmp_path / "operators_benchmark.md").read_text()
    for verdict in ("training step of the demo's model: ", "the dense memory: not", "the dense ones: not measured"):
        assert verdict in text
    assert text in result.stdout
    assert (tmp_path / "operators_benchmark.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--operators", "bubble_sort", "must name some of neural_sort, soft_sort, "),
        ("--list-sizes", "41", "must name some of 40, 50, 200, 1000, 4096. Received: '41'"),
        ("--modes", "", "must name some of eager, function, xla. Received: ''"),
    ],
)
def test_refuses_unknown_names(option, value, message):
    result = CliRunner().invoke(main, [option, value])
    assert result.exit_code == 2
    assert message in result.output
