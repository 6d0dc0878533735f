"""A step over two replicas is a step over one. TensorFlow cuts the processor only in a process that is new."""

from pathlib import Path

import numpy as np
import pytest
from new_process import NewProcess

CASES = [
    "lcron/uneven",
    "lcron/one",
    "whole_catalogue/uneven",
    "perturbed_top_k/uneven",
    "bce/uneven",
    "fs_ranknet_lazy_adam/uneven",
]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Arrays by `<case>/<one or two>/<name>`."""
    folder = tmp_path_factory.mktemp("replicas")
    script, log = Path(__file__).with_name("replicas.py"), folder / "log"
    process = NewProcess(script, [str(folder / "out.npz"), str(folder / "checkpoints")], log)
    assert process.wait() == 0, log.read_text()[-3000:]
    with np.load(folder / "out.npz") as archive:
        return {name: archive[name] for name in archive.files}


def _values(results, prefix):
    return {name.removeprefix(prefix): value for name, value in results.items() if name.startswith(prefix)}


def test_there_are_two_replicas(results):
    assert results["num_replicas"] == 2


@pytest.mark.parametrize("case", CASES)
def test_two_replicas_give_loss_metrics_and_gradients_of_one(results, case):
    one, two = (_values(results, f"{case}/{which}/") for which in ("one", "two"))
    assert "total_loss" in one
    assert any(np.abs(value).max() > 1e-2 for name, value in one.items() if name.startswith("gradient_"))
    assert set(one) == set(two)
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=2e-4, atol=2e-6, err_msg=name)


def test_a_run_over_two_replicas_ends_where_that_over_one_does(results):
    one, two = (_values(results, f"run/{which}/") for which in ("one", "two"))
    # The parts of a metric are sums over the replicas; what it says is among the validation metrics.
    for name, value in ((name, value) for name, value in one.items() if not name.startswith("metric_")):
        np.testing.assert_allclose(two[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_an_interrupted_run_over_two_replicas_goes_on_to_the_same_bits(results):
    two, killed = (_values(results, f"run/{which}/") for which in ("two", "killed"))
    for name, value in two.items():
        assert killed[name].tobytes() == value.tobytes(), name
