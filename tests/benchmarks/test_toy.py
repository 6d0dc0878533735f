"""The toy study: its world, its cascade, and a smoke run from the command line to the page."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from benchmarks.toy.__main__ import main
from benchmarks.toy.cascade import Cascade, ToyTrainer, measure
from benchmarks.toy.methods import REFERENCE
from benchmarks.toy.report import write_page
from benchmarks.toy.world import (
    CANDIDATE_STAGE,
    GROUND_TRUTH_SIZE,
    LABELS,
    LIST_SIZE,
    Requests,
    World,
    draw_requests,
    draw_strengths,
)
from trainer.config.losses import Arf, Bce, LossConfig

WORLD = World(num_tastes=4, seen_tastes=2, retrieval_dim=2)


def _utility(requests: Requests, seed: int) -> np.ndarray:
    return np.einsum("rd,rid->ri", requests.users * draw_strengths(WORLD, seed), requests.items)


def test_without_noise_the_ground_truth_are_the_items_of_most_utility():
    world = dataclasses.replace(WORLD, noise=0.0)
    utility = _utility(draw_requests(world, 5, 20), 5)
    assert utility.shape == (20, LIST_SIZE)
    assert np.all(np.diff(utility[:, :GROUND_TRUTH_SIZE], axis=1) <= 0)
    for stage in range(3):  # no item of a stage is better than one of a deeper stage
        assert np.all(
            utility[:, stage == CANDIDATE_STAGE].max(axis=1) <= utility[:, stage + 1 == CANDIDATE_STAGE].min(axis=1)
        )


def test_labels_order_the_logged_stages():
    assert LABELS.tolist() == [*range(29, 19, -1), *[7] * 10, *[6] * 10, *[5] * 10]
    assert CANDIDATE_STAGE.tolist() == [3] * 10 + [2] * 10 + [1] * 10 + [0] * 10


def test_a_seed_is_one_world_whose_held_out_requests_are_others():
    first, again = draw_requests(WORLD, 1, 4), draw_requests(WORLD, 1, 4)
    np.testing.assert_array_equal(first.items, again.items)
    assert not np.array_equal(first.users, draw_requests(WORLD, 1, 4, held_out=True).users)
    assert not np.array_equal(draw_strengths(WORLD, 1), draw_strengths(WORLD, 2))


def test_retrieval_is_a_dot_product_and_ranking_sees_its_tastes_only():
    cascade = Cascade(WORLD)
    cascade.reset(np.random.default_rng(0))
    requests = draw_requests(WORLD, 0, 3)
    retrieval, ranking = cascade.score(*requests)
    user = requests.users @ cascade.weights["user_tower"].numpy()
    item = requests.items @ cascade.weights["item_tower"].numpy()
    np.testing.assert_allclose(retrieval, np.einsum("br,bnr->bn", user, item), rtol=1e-4, atol=1e-5)

    other = requests._replace(items=np.concatenate([requests.items[..., :2], -requests.items[..., 2:]], axis=-1))
    np.testing.assert_array_equal(cascade.score(*other)[1], ranking)
    assert not np.allclose(cascade.score(*other)[0], retrieval)


def test_measures_of_a_cascade_made_by_hand():
    best_first = np.arange(LIST_SIZE, 0, -1, dtype=np.float32)[np.newaxis]
    worst_ten_first = np.roll(best_first, -10)  # the ground truth comes after all others
    perfect = measure([tf.constant(best_first)] * 2, (30, 10), 0.0)
    assert (perfect.recall, perfect.retrieval_recall, perfect.ranking_recall, perfect.bound) == (1, 1, 1, 1)
    # Retrieval cuts everything but the ground truth, which ranking alone would have cut.
    rescued = measure([tf.constant(best_first), tf.constant(worst_ten_first)], (10, 10), 0.0)
    assert (rescued.recall, rescued.retrieval_recall, rescued.ranking_recall, rescued.bound) == (1, 1, 0, 0)


def test_a_run_starts_afresh():
    requests = draw_requests(WORLD, 0, 16)
    trainer = ToyTrainer(WORLD, (30, 20), LossConfig(Arf()), batch_size=4)  # ARF has weights of its own
    measures = []
    for _ in range(2):
        trainer.train(requests, seed=3, num_steps=2, learning_rate=0.1)
        assert all(np.isfinite(weight.numpy()).all() for weight in trainer.cascade.weights.values())
        measures.append(trainer.measure(requests))
    assert measures[0] == measures[1]


def test_training_teaches():
    requests, held_out = draw_requests(WORLD, 0, 256), draw_requests(WORLD, 0, 256, held_out=True)
    trainer = ToyTrainer(WORLD, (20, 12), LossConfig(Bce()), batch_size=32)
    trainer.train(requests, seed=0, num_steps=1, learning_rate=1e-6)
    before = trainer.measure(held_out)
    trainer.train(requests, seed=0, num_steps=200, learning_rate=0.05)
    after = trainer.measure(held_out)
    assert after.retrieval_recall > before.retrieval_recall + 0.1
    assert after.recall > before.recall + 0.1
    assert after.recall >= after.bound


def test_results_keep_the_words_around_them(tmp_path):
    page = tmp_path / "toy.md"
    write_page(page, "first")
    page.write_text(f"before\n{page.read_text()}after\n")
    write_page(page, r"second \1")
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert r"second \1" in text
    assert "first" not in text

    page.write_text("no place")
    with pytest.raises(ValueError, match="has no place for the results"):
        write_page(page, "third")


def test_smoke_run_writes_page_plot_and_json(tmp_path: Path):
    arguments = ["--smoke", "--methods", "bce", "--settings", "blind", "--jobs", "1", "--json"]
    arguments += ["--out", str(tmp_path), "--resume", str(tmp_path / "outcomes")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.output.splitlines()[-1])
    methods = figures["settings"]["blind"]
    assert set(methods) == {"bce", REFERENCE}
    for method in methods.values():
        assert 0 < method["mean"]["bound"] <= method["mean"]["recall"] <= 1
        assert method["mean"]["recall"] == pytest.approx(np.mean(method["by_seed"]["recall"]))
    page = (tmp_path / "toy.md").read_text()
    assert f"| BCE      | {methods['bce']['mean']['recall']:.4f} ± " in page
    assert "LCRON is above BCE" in page
    assert "<svg" in (tmp_path / "toy.svg").read_text()

    again = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert "1/" not in again.output.splitlines()[0]  # nothing is left to run
    assert json.loads(again.output.splitlines()[-1])["settings"] == figures["settings"]


def test_unknown_names_are_refused():
    result = CliRunner().invoke(main, ["--methods", "bce,sorcery"])
    assert result.exit_code == 2
    assert "--methods" in result.output
    assert "Received: 'bce,sorcery'" in result.output
