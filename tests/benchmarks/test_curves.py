"""The picture of the operators: what its curves are, and a smoke run from the command line to the file."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.curves import ITEMS, LIST_SIZE, LOSSES, TEMPERATURES, K, curves, loss_curves, main, other_scores
from trainer.sorting.operators import OPERATORS

SCORES = np.linspace(-4, 4, 81, dtype=np.float32)


def test_every_operator_is_drawn_from_cold_to_warm():
    assert set(TEMPERATURES) == set(OPERATORS)
    for temperatures in TEMPERATURES.values():
        assert list(temperatures) == sorted(temperatures)


def test_the_other_items_are_fixed_and_symmetric():
    others = other_scores()
    assert others.shape == (LIST_SIZE - 1,)
    np.testing.assert_allclose(others, -others[::-1], atol=1e-6)


@pytest.mark.parametrize("operator", ["fermi_dirac", "lap_sum", "sinkhorn"])
def test_a_gradient_is_the_slope_of_its_curve(operator):
    for head, gradient in curves(operator, SCORES).values():
        slope = np.diff(head) / np.diff(SCORES)
        np.testing.assert_allclose((gradient[1:] + gradient[:-1]) / 2, slope, atol=0.05 * gradient.max())
        assert (slope > 0).all()


def test_the_threshold_operator_cuts_in_the_middle_of_two_scores():
    others = np.sort(other_scores())[::-1]
    head = next(iter(curves("threshold_sigmoid", np.array([others[K - 1]], np.float32)).values())).value
    np.testing.assert_allclose(head, [0.5], atol=1e-6)  # it ties with the item at the cut


@pytest.mark.parametrize("name", ["bce", "lcron", "fs_lambda_loss"])
def test_losses_pull_ground_truth_up_and_push_negatives_down(name):
    by_item = loss_curves(name, np.array([-1.0, 0.0, 1.0], np.float32))
    assert (by_item["ground truth"].gradient < 0).all()
    assert (by_item["negative"].gradient > 0).all()


@pytest.mark.parametrize(("function", "name"), [(curves, "perturbed_top_k"), (loss_curves, "icc")])
def test_curves_are_the_same_again(function, name):
    scores = np.array([-1.0, 0.0, 1.0], np.float32)
    first, second = (function(name, scores) for _ in range(2))
    assert first.keys() == second.keys()
    for label in first:
        np.testing.assert_array_equal(first[label], second[label])


def once_each(function):
    """The same function, which computes the curves of a name once."""
    found = {}

    def look_up(name, scores):
        if name not in found:
            found[name] = function(name, scores)
        return found[name]

    return look_up


def test_smoke_run_draws_the_same_picture_again(tmp_path, monkeypatch):
    for function in (curves, loss_curves):
        monkeypatch.setattr(f"benchmarks.curves.{function.__name__}", once_each(function))
    pictures = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        result = CliRunner().invoke(main, ["--smoke", "--json", "--out", str(folder)])
        assert result.exit_code == 0, result.output
        pictures.append([(folder / f"{name}_curves.svg").read_bytes() for name in ("operators", "losses")])
    assert pictures[0] == pictures[1]
    figures = json.loads(result.stdout.splitlines()[-1])
    assert len(figures["scores"]) == 5
    assert set(figures["operators"]) == set(OPERATORS)
    for operator, by_temperature in figures["operators"].items():
        assert [float(temperature) for temperature in by_temperature] == pytest.approx(TEMPERATURES[operator])
    assert set(figures["losses"]) == set(LOSSES)
    for by_label in (*figures["operators"].values(), *figures["losses"].values()):
        for curve in by_label.values():
            assert len(curve["value"]) == len(curve["gradient"]) == 5
            assert np.isfinite(curve["gradient"]).all()
    assert set(figures["losses"]["lcron"]) == set(ITEMS)
