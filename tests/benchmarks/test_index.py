"""The index benchmark on a small catalogue."""

import json

from click.testing import CliRunner

from benchmarks.index import main


def test_figures(tmp_path):
    options = ["--items", "2000", "--users", "32", "--kinds", "exact,ivf", "--probes", "4,44", "--json"]
    result = CliRunner().invoke(main, [*options, "--out", str(tmp_path / "index.svg")], catch_exceptions=False)
    assert result.exit_code == 0
    exact, few, all_leaves = json.loads(result.stdout.splitlines()[-1])["indices"]
    assert (exact["kind"], exact["recall@100"]) == ("exact", 1.0)
    assert (few["num_probed_leaves"], all_leaves["num_probed_leaves"]) == (4, 44)
    assert few["recall@100"] < 0.9 < all_leaves["recall@100"]
    assert min(each["ms"]["32"] for each in (exact, few, all_leaves)) > 0
    assert (tmp_path / "index.svg").read_text().count("ivf") >= 1


def test_a_wrong_kind_is_refused():
    result = CliRunner().invoke(main, ["--kinds", "hnsw"])
    assert result.exit_code == 2
    assert "must name some of exact, ivf, scann. Received: 'hnsw'" in result.output
