import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from models import load_saved_model

from trainer.evaluation.config import EvaluationConfig, SliceConfig
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.gate import Gate
from trainer.evaluation.result import EvaluationResult
from trainer.evaluation.subject import read_candidate

CONFIG = EvaluationConfig(ks=(1, 2), batch_size=3, popularity_days=None)


RETRIEVAL = {"u1": (5, 4, 3, 2, 1), "u2": (1, 2, 3, 4, 5)}
RANKING = {"u1": (1, 2, 3, 4, 5), "u2": (9, 8, 7, 6, 5)}


@pytest.fixture(scope="session")
def poor_dir(write_release: Callable[..., str]) -> str:
    """Delivers a b to everyone, or b c if a is excluded."""
    scores = {"*": (5, 4, 3, 2, 1)}
    return write_release("abcde", [("retrieval", 3, 2, scores), ("ranking", 2, None, scores)])


def test_metrics_of_the_whole_funnel(two_stage_dir: str, world: dict) -> None:
    result = evaluate(CONFIG, read_candidate(two_stage_dir), **world)

    assert result.num_requests == 4
    assert result.num_requests_without_ground_truth == 1
    assert result.num_ground_truth == 9
    assert result.num_items == 5
    assert (result.stages, result.capacities, result.list_capacities) == (("retrieval", "ranking"), (3, 2), (2, None))
    assert {name: value for name, value in result.metrics.items() if not name.startswith("list/")} == pytest.approx(
        {
            "recall@1": 2 / 9,
            "recall@2": 4 / 9,
            "mean_recall@1": (1 / 4 + 1 / 4 + 0) / 3,
            "mean_recall@2": (1 / 4 + 2 / 4 + 1) / 3,
            "deliverable": 7 / 9,
            "funnel/retrieval/recall": 6 / 9,
            "funnel/ranking/recall": 4 / 9,
        }
    )
    assert result.attribution["candidate"]["recall@2"] == {
        "excluded": 1,
        "not_in_catalogue": 1,
        "lost_in_retrieval": 1,
        "lost_in_ranking": 2,
        "delivered": 4,
    }
    assert result.attribution["candidate"]["recall@1"]["lost_in_ranking"] == 4
    assert sum(result.shares(1).values()) == pytest.approx(1)
    assert result.popularity["ground_truth_without_excluded"]["recall@2"] == pytest.approx(3 / 9)
    assert result.curves["candidate"] == pytest.approx((2 / 9, 4 / 9))
    low, high = result.intervals["recall@2"]
    assert 0 < low < 4 / 9 < high < 1
    assert result.blessed


def test_against_the_baseline(two_stage_dir: str, poor_dir: str, world: dict) -> None:
    better = evaluate(CONFIG, read_candidate(two_stage_dir), baseline=read_candidate(poor_dir), **world)
    assert better.blessed
    # r1 gets a b and wants c a d x; r2 gets b c and wants a b d c; r4 gets a b and wants d.
    assert better.baseline is not None
    assert better.baseline["recall@2"] == pytest.approx(3 / 9)
    assert better.attribution["baseline"]["recall@2"]["lost_in_retrieval"] == 2

    worse = evaluate(CONFIG, read_candidate(poor_dir), baseline=read_candidate(two_stage_dir), **world)
    assert worse.decision.reasons == ("recall@2 fell from 0.4444 to 0.3333, 25.0% where 2.0% is allowed",)


def test_baseline_gets_the_list_capacities_of_the_candidate(
    two_stage_dir: str, write_release: Callable, world: dict
) -> None:
    baseline = write_release("abcde", [("retrieval", 3, 1, RETRIEVAL), ("ranking", 2, 1, RANKING)])
    result = evaluate(CONFIG, read_candidate(two_stage_dir), baseline=read_candidate(baseline), **world)
    assert result.baseline == pytest.approx(result.metrics)


def test_baseline_of_other_features(two_stage_dir: str, write_release: Callable, world: dict) -> None:
    scores = {"*": (5, 4, 3, 2, 1)}
    stages = [("retrieval", 3, 2, scores), ("ranking", 2, None, scores)]
    baseline = write_release("abcde", stages, user_feature="account_id")
    gate = dataclasses.replace(CONFIG.gate, block_on_incompatible_baseline=False)
    config = dataclasses.replace(CONFIG, gate=gate)
    result = evaluate(config, read_candidate(two_stage_dir), baseline=read_candidate(baseline), **world)
    assert result.blessed
    assert result.baseline is None
    (note,) = result.decision.notes
    assert note.startswith("the baseline release could not be evaluated: The model of stage 'retrieval' cannot read")
    assert "account_id" in note


def test_baseline_that_is_gone_blocks(two_stage_dir: str, world: dict, tmp_path: Path) -> None:
    config = EvaluationConfig(ks=(1, 2), gate=Gate(popularity_factor=None))
    candidate = read_candidate(two_stage_dir)
    baseline = dataclasses.replace(candidate, model_dirs=dict.fromkeys(candidate.model_dirs, str(tmp_path / "gone")))
    result = evaluate(config, candidate, baseline=baseline, **world)
    assert not result.blessed
    (reason,) = result.decision.reasons
    assert reason.startswith("the baseline release could not be evaluated: There is no SavedModel in")


def test_outputs(two_stage_dir: str, poor_dir: str, world: dict, tmp_path: Path) -> None:
    lines: list[str] = []
    result = evaluate(
        CONFIG,
        read_candidate(two_stage_dir),
        baseline=read_candidate(poor_dir),
        oracle={2: 0.7, 1: 0.5},
        output_dir=str(tmp_path / "out"),
        report=lines.append,
        **world,
    )
    text = (tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8")
    assert EvaluationResult.from_json(text) == result
    assert json.loads(text)["oracle"] == {"recall@1": 0.5, "recall@2": 0.7}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["evaluation.html", "evaluation.json"]
    assert [line.split(" requests,")[0] for line in lines if "4/4" in line] == [
        "candidate, whole catalogue: 4/4",
        "candidate, logged lists: 4/4",
        "baseline, whole catalogue: 4/4",
        "baseline, logged lists: 4/4",
    ]


def test_max_requests(two_stage_dir: str, world: dict) -> None:
    config = EvaluationConfig(ks=(1, 2), max_requests=1)
    result = evaluate(config, read_candidate(two_stage_dir), **world)
    assert (result.num_requests, result.num_ground_truth) == (1, 4)
    assert result.metrics["list/ranking/recall"] == pytest.approx(2 / 3)


def test_ks_beyond_what_is_delivered(two_stage_dir: str, world: dict) -> None:
    with pytest.raises(ValueError, match=r"`ks` must not exceed .* the 2 items of 'ranking'. Received: ks=\(1, 3\)"):
        evaluate(EvaluationConfig(ks=(1, 3)), read_candidate(two_stage_dir), **world)


def test_broken_releases(two_stage_dir: str, world: dict, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"The manifest '.*manifest.json' cannot be read"):
        read_candidate(str(tmp_path))

    shutil.copytree(two_stage_dir, tmp_path / "release")
    candidate = read_candidate(str(tmp_path / "release"))
    models_dir = tmp_path / "release" / "models"
    shutil.rmtree(models_dir / "retrieval")
    with pytest.raises(ValueError, match=r"There is no SavedModel in '.*retrieval'"):
        evaluate(CONFIG, candidate, **world)

    shutil.copytree(models_dir / "ranking", models_dir / "retrieval")
    with pytest.raises(ValueError, match="'retrieval' must have the signature 'retrieve_examples'"):
        evaluate(CONFIG, candidate, **world)


def test_a_trained_release(candidate_dir: Path, transformed_data, tmp_path: Path) -> None:
    def write(name: str, examples: list[bytes]) -> list[str]:
        with tf.io.TFRecordWriter(str(tmp_path / name), "GZIP") as writer:
            for example in examples:
                writer.write(example)
        return [str(tmp_path / name)]

    candidate = read_candidate(str(candidate_dir))
    result = evaluate(
        EvaluationConfig(ks=(5, 10), batch_size=7, slices=SliceConfig(request_features=("age",))),
        candidate,
        baseline=candidate,
        request_files=write("requests", transformed_data.eval_requests),
        catalogue_files=write("catalogue", transformed_data.catalogue),
        train_request_files=write("train", transformed_data.train_requests),
    )
    assert (result.num_requests, result.num_ground_truth, result.num_items) == (20, 40, 60)
    assert result.num_excluded_returned == 0
    assert result.baseline == pytest.approx(result.metrics)
    assert result.metrics["recall@10"] == result.metrics["funnel/ranking/recall"]
    assert result.metrics["recall@5"] <= result.metrics["recall@10"] <= result.metrics["funnel/retrieval/recall"]
    cascade = load_saved_model(candidate_dir / "models" / "cascade").signatures["recommend_examples"]
    examples = tf.constant(transformed_data.eval_requests)
    answers = cascade(examples=examples, k=tf.fill([20], 10))["item_id"].numpy()
    hits = sum(len(_ground_truth(each) & set(row)) for each, row in zip(examples.numpy(), answers, strict=True))
    assert result.metrics["recall@10"] == pytest.approx(hits / 40)


def _ground_truth(serialized: bytes) -> set[bytes]:
    features = tf.train.Example.FromString(serialized).features.feature
    items, stages = features["candidate_item_id"].bytes_list.value, features["candidate_stage"].int64_list.value
    return {item for item, stage in zip(items, stages, strict=True) if stage == 2}
