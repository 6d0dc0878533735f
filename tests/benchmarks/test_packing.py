"""The packing benchmark on a few requests."""

import json

import numpy as np
from click.testing import CliRunner

from benchmarks.packing.__main__ import main
from benchmarks.packing.ways import Sizes, write_examples
from benchmarks.train.world import FEATURES
from trainer.data.input import read_requests


def test_figures():
    result = CliRunner().invoke(main, ["--smoke", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    figures = json.loads(result.stdout.splitlines()[-1])
    assert len(figures["ways"]) == 6
    assert min(way["seconds"] for way in figures["ways"].values()) > 0
    assert figures["packed_mib"] > 0.1
    assert "later start: find and check" in result.stdout


def test_examples_are_the_requests_of_the_world(tmp_path):
    sizes = Sizes(20, 50, 1, 8)
    files = [str(path) for path in write_examples(sizes, tmp_path)]
    found, misses = read_requests(files, FEATURES, sizes.world.request_features, sizes.item_ids)
    assert not misses
    made_up = sizes.world.requests(20)
    for name, values in made_up.items():
        if name.startswith("history_"):
            values = np.where(made_up["history_where"], values, 0)  # the world fills the padding at random
        if name != "labels":
            np.testing.assert_array_equal(found[name], values, err_msg=name)
