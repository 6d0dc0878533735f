"""The serving benchmark and the soak with few items, clients and seconds."""

import json

import pytest
from click.testing import CliRunner

from benchmarks.serving.__main__ import main
from benchmarks.serving.cells import Cell
from benchmarks.serving.floor import Floor
from benchmarks.serving.report import verdicts
from benchmarks.serving.run import Results
from benchmarks.soak import main as soak

CALLS = ["retrieval of 100", "ranking of 200", "cascade, one call", "cascade, two hops"]


def test_figures(work, tmp_path):
    options = ["--items", "300", "--clients", "1,3", "--seconds", "0.1", "--work", work, "--json", "--out", tmp_path]
    result = CliRunner().invoke(main, list(map(str, options)), catch_exceptions=False)
    assert result.exit_code == 0
    figures = json.loads(result.stdout.splitlines()[-1])
    (catalogue,) = figures["catalogues"]
    assert catalogue["num_items"] == 300
    assert list(catalogue["floors"]) == CALLS
    for floor in catalogue["floors"].values():
        assert 0 < floor["p50_ms"] <= floor["p99_ms"]
        assert list(floor["requests_per_s"]) == ["1", "8", "32"]
    cells = catalogue["cells"]
    assert [(cell["call"], cell["num_clients"], cell["batching"]) for cell in cells] == [
        (call, number, number > 1) for number in (1, 3) for call in CALLS
    ]
    for cell in cells:
        assert 0 < cell["p50_ms"] <= cell["p99_ms"]
        assert cell["requests_per_s"] > 0
        assert cell["num_failed"] == 0
        assert cell["server_cores"] >= 0
    assert [len(verdict["ratios"]) for verdict in figures["verdicts"]] == [4, 4, 0]
    assert "| cascade, two hops | 3, batching |" in result.stdout
    assert "<svg" in (tmp_path / "serving_benchmark.svg").read_text()


def test_verdicts():
    floor = Floor(p50_ms=10.0, p99_ms=20.0, requests_per_s={1: 100.0, 8: 300.0, 32: 200.0})
    one = Cell(5, "ranking of 200", 1, False, 13.0, 41.0, 90.0, 0, 1.0, 0.1)
    many = Cell(5, "ranking of 200", 32, True, 100.0, 200.0, 240.0, 0, 1.0, 0.1)
    median, percentile, throughput = verdicts(Results(5, {"ranking of 200": floor}, [one, many]))
    assert (median.ratios, median.holds) == ({"ranking of 200": pytest.approx(1.3)}, True)
    assert (percentile.ratios, percentile.holds) == ({"ranking of 200": pytest.approx(2.05)}, False)
    assert (throughput.ratios, throughput.holds) == ({"ranking of 200": pytest.approx(1.25)}, True)


def test_soak(work):
    options = ["--items", "300", "--clients", "3", "--seconds", "1", "--work", work, "--json"]
    result = CliRunner().invoke(soak, list(map(str, options)), catch_exceptions=False)
    assert result.exit_code == 0
    figures = json.loads(result.stdout.splitlines()[-1])
    assert len(figures["resident_mib"]) == 11
    assert min(figures["resident_mib"]) > 100
    assert figures["num_requests"] >= 3  # one of each client
    assert figures["num_failed"] == 0


@pytest.mark.parametrize("items", ["", "0", "10,", "-3", "ten"])
def test_items_must_be_numbers(items):
    result = CliRunner().invoke(main, ["--items", items])
    assert result.exit_code == 2
    assert f"must be positive whole numbers with commas between them. Received: {items!r}" in result.output
