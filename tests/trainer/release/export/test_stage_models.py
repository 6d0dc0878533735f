import numpy as np
import pytest
import tensorflow as tf

from serving.signatures import LOWEST_SCORE

LOWEST = np.float32(LOWEST_SCORE)


def rows_of(item_ids: np.ndarray, catalogue: tuple[bytes, ...]) -> np.ndarray:
    row = {item_id: index + 1 for index, item_id in enumerate(catalogue)}
    return np.vectorize(lambda item_id: row.get(item_id, 0), otypes=[np.int32])(item_ids)


@pytest.mark.parametrize(("stage_index", "stage"), [(0, "retrieval"), (1, "ranking")])
def test_scores_are_those_of_the_keras_model(
    stage_index, stage, signature, raw_inputs, keras_reference, candidate_requests
):
    inputs = raw_inputs(candidate_requests)
    rows = rows_of(inputs["candidate_item_id"].numpy(), keras_reference.item_ids)
    expected = np.where(rows > 0, keras_reference.stage_scores(stage_index, rows), LOWEST)
    assert (expected == LOWEST).any()
    assert np.ptp(expected[rows > 0]) > 0.01

    del inputs["exclude_item_id"]
    raw = signature(stage, "score")(**inputs)
    np.testing.assert_allclose(raw["score"], expected, rtol=1e-5, atol=1e-5)
    examples = signature(stage, "score_examples")(examples=tf.constant(candidate_requests))
    np.testing.assert_allclose(examples["score"], expected, rtol=1e-5, atol=1e-5)


def test_training_lists_score_as_the_requests_do(signature, keras_reference, candidate_requests):
    """The model's own forward pass on the training batch, which cuts long lists, agrees with the served scores."""
    scores = [stage_scores.numpy() for stage_scores in keras_reference.model.score(keras_reference.batch)]
    for stage, stage_scores in zip(("retrieval", "ranking"), scores, strict=True):
        served = signature(stage, "score_examples")(examples=tf.constant(candidate_requests))["score"].numpy()
        for index in range(len(candidate_requests)):
            where = keras_reference.batch["where"][index]
            expected = np.sort(stage_scores[index][where])
            known = np.sort(served[index][served[index] > LOWEST])
            assert np.isclose(expected[:, np.newaxis], known, rtol=1e-5, atol=1e-5).any(axis=1).all()


def test_retrieval_is_an_exact_search(signature, keras_reference, candidate_requests, raw_inputs):
    num_items = len(keras_reference.item_ids)
    all_rows = np.tile(np.arange(1, num_items + 1), [len(candidate_requests), 1])
    scores = keras_reference.stage_scores(0, all_rows)
    excluded = rows_of(raw_inputs(candidate_requests)["exclude_item_id"].numpy(), keras_reference.item_ids)
    for index, rows in enumerate(excluded):
        scores[index, rows[rows > 0] - 1] = -np.inf
    assert np.isinf(scores).any()

    k = tf.fill([len(candidate_requests)], 15)
    found = signature("retrieval", "retrieve_examples")(examples=tf.constant(candidate_requests), k=k)
    np.testing.assert_allclose(found["score"], -np.sort(-scores)[:, :15], rtol=1e-5, atol=1e-5)
    rows = rows_of(found["item_id"].numpy(), keras_reference.item_ids)
    np.testing.assert_allclose(np.take_along_axis(scores, rows - 1, axis=1), found["score"], rtol=1e-5, atol=1e-5)
    assert all(len(set(row)) == 15 for row in rows.tolist())


def test_retrieve_answers_tensors_and_examples_alike(signature, raw_inputs, candidate_requests):
    inputs = raw_inputs(candidate_requests)
    del inputs["candidate_item_id"]
    k = tf.constant([5, 0, 70, 1] * 5)
    by_tensors = signature("retrieval", "retrieve")(**inputs, k=k)
    by_examples = signature("retrieval", "retrieve_examples")(examples=tf.constant(candidate_requests), k=k)
    by_default = signature("retrieval", "serving_default")(**inputs, k=k)
    for answer in (by_examples, by_default):
        assert (answer["item_id"].numpy() == by_tensors["item_id"].numpy()).all()
        np.testing.assert_allclose(answer["score"], by_tensors["score"], rtol=1e-6)


def test_slots_beyond_k_or_the_catalogue_are_empty(signature, raw_inputs, candidate_requests):
    k = tf.constant([5, 0, 70, -3])
    found = signature("retrieval", "retrieve_examples")(examples=tf.constant(candidate_requests[:4]), k=k)
    excluded = set(filter(None, raw_inputs(candidate_requests)["exclude_item_id"].numpy()[2]))
    num_found = (found["item_id"].numpy() != b"").sum(axis=1)
    assert found["item_id"].shape == found["score"].shape == (4, 70)
    assert num_found.tolist() == [5, 0, 60 - len(excluded), 0]
    for index, number in enumerate(num_found):
        assert (found["item_id"].numpy()[index, number:] == b"").all()
        assert (found["score"].numpy()[index, number:] == LOWEST).all()
        assert (found["score"].numpy()[index, :number] > LOWEST).all()
    assert not excluded & set(found["item_id"].numpy()[2])


def test_nothing_wanted_and_no_requests(signature, candidate_requests):
    retrieve = signature("retrieval", "retrieve_examples")
    assert retrieve(examples=tf.constant(candidate_requests[:2]), k=tf.constant([0, 0]))["item_id"].shape == (2, 0)
    none = tf.constant([], tf.string)
    assert retrieve(examples=none, k=tf.constant([], tf.int32))["item_id"].shape == (0, 0)
    assert signature("ranking", "score_examples")(examples=none)["score"].shape == (0, 0)


@pytest.mark.parametrize("stage", ["retrieval", "ranking"])
def test_an_example_without_any_feature_is_a_new_user(stage, signature, raw_inputs):
    inputs = {name: value for name, value in raw_inputs([b""]).items() if name != "exclude_item_id"}
    inputs["candidate_item_id"] = tf.constant([["item_01", "unknown", ""]])
    scores = signature(stage, "score")(**inputs)["score"].numpy()
    assert np.isfinite(scores).all()
    assert (scores[0, 1:] == LOWEST).all()
    assert scores[0, 0] > LOWEST
    unknown = {**inputs, "user_id": tf.constant(["never seen"]), "age": tf.constant([10**12])}
    np.testing.assert_allclose(signature(stage, "score")(**unknown)["score"], scores, rtol=1e-6)
    assert signature(stage, "score_examples")(examples=tf.constant([b""]))["score"].shape == (1, 0)


@pytest.mark.parametrize("stage", ["retrieval", "ranking"])
def test_history_of_any_length_keeps_its_latest_events(stage, signature, raw_inputs, candidate_requests):
    inputs = {name: value for name, value in raw_inputs(candidate_requests[:1]).items() if name != "exclude_item_id"}
    score = signature(stage, "score")
    events = [b"item_03", b"item_40", b"item_11", b"", b"gone", b"item_05", b"item_06", b"", b"item_09"]
    grades = [0, 1, 2, 3, 3, 2, 1, 0, 1]

    def scores(items: list[bytes], values: list[int]) -> np.ndarray:
        history = {"history_item_id": tf.constant([items]), "history_grade": tf.constant([values], tf.int64)}
        return score(**{**inputs, **history})["score"].numpy()

    kept = [index for index, item in enumerate(events) if item][-6:]
    latest = scores([events[index] for index in kept], [grades[index] for index in kept])
    np.testing.assert_allclose(scores(events, grades), latest, rtol=1e-6)
    assert not np.allclose(scores(events[:-1], grades[:-1]), latest, rtol=1e-4)


def test_rows_of_a_batch_do_not_touch_each_other(signature, candidate_requests):
    together = signature("ranking", "score_examples")(examples=tf.constant(candidate_requests))["score"].numpy()
    found = signature("retrieval", "retrieve_examples")(examples=tf.constant(candidate_requests), k=tf.fill([20], 7))
    for index in (0, 7, 19):
        examples = tf.constant([candidate_requests[index]])
        alone = signature("ranking", "score_examples")(examples=examples)["score"].numpy()
        np.testing.assert_allclose(together[index, : alone.shape[1]], alone[0], rtol=1e-5, atol=1e-6)
        found_alone = signature("retrieval", "retrieve_examples")(examples=examples, k=tf.constant([7]))
        assert (found["item_id"].numpy()[index] == found_alone["item_id"].numpy()[0]).all()


def test_misaligned_history_is_named(signature, raw_inputs, candidate_requests):
    inputs = {name: value for name, value in raw_inputs(candidate_requests[:1]).items() if name != "exclude_item_id"}
    inputs["history_item_id"] = tf.constant([["item_01", "item_02"]])
    inputs["history_grade"] = tf.constant([[1]], tf.int64)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`history_grade` must have the shape of `history_item_id`"
    ):
        signature("ranking", "score")(**inputs)


def test_broken_examples_are_refused(signature):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Could not parse example input"):
        signature("ranking", "score_examples")(examples=tf.constant([b"not an example"]))
