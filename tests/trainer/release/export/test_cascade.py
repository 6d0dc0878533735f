import numpy as np
import pytest
import tensorflow as tf

from serving.signatures import LOWEST_SCORE


@pytest.fixture(scope="module")
def recommend(signature):
    return signature("cascade", "recommend_examples")


def test_recommend_runs_the_stages_one_after_the_other(
    recommend, signature, raw_inputs, candidate_requests, keras_reference
):
    """Retrieval passes on 20 items, ranking the best 10 of them."""
    k = tf.fill([len(candidate_requests)], 10)
    recommended = recommend(examples=tf.constant(candidate_requests), k=k)
    inputs = raw_inputs(candidate_requests)
    del inputs["candidate_item_id"]
    passed_on = signature("retrieval", "retrieve")(**inputs, k=2 * k)["item_id"]
    del inputs["exclude_item_id"]
    scores = signature("ranking", "score")(**inputs, candidate_item_id=passed_on)["score"].numpy()
    order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    np.testing.assert_allclose(recommended["score"], np.take_along_axis(scores, order, axis=1), rtol=1e-5, atol=1e-6)
    assert (recommended["item_id"].numpy() == np.take_along_axis(passed_on.numpy(), order, axis=1)).all()


def test_signatures_agree(recommend, signature, raw_inputs, candidate_requests):
    inputs = raw_inputs(candidate_requests)
    del inputs["candidate_item_id"]
    k = tf.constant([3, 0, 10, 7] * 5)
    by_examples = recommend(examples=tf.constant(candidate_requests), k=k)
    for name in ("recommend", "serving_default"):
        by_tensors = signature("cascade", name)(**inputs, k=k)
        assert (by_tensors["item_id"].numpy() == by_examples["item_id"].numpy()).all()
        np.testing.assert_allclose(by_tensors["score"], by_examples["score"], rtol=1e-6)


def test_k_is_capped_by_the_last_capacity(recommend, candidate_requests):
    answer = recommend(examples=tf.constant(candidate_requests[:3]), k=tf.constant([25, 4, 0]))
    assert answer["item_id"].shape == answer["score"].shape == (3, 25)
    assert (answer["item_id"].numpy() != b"").sum(axis=1).tolist() == [10, 4, 0]
    assert (answer["score"].numpy()[0, 10:] == np.float32(LOWEST_SCORE)).all()


def test_excluded_items_are_not_recommended(signature, raw_inputs, candidate_requests):
    inputs = raw_inputs(candidate_requests[:1])
    del inputs["candidate_item_id"]
    recommend = signature("cascade", "recommend")
    first = recommend(**{**inputs, "exclude_item_id": tf.constant([[""]])}, k=tf.constant([10]))["item_id"].numpy()[0]
    excluded = tf.constant([[*first[:5], b"unknown", b""]])
    second = recommend(**{**inputs, "exclude_item_id": excluded}, k=tf.constant([10]))["item_id"].numpy()[0]
    assert not set(first[:5]) & set(second)
    assert set(first[5:]) <= set(second)
    everything = tf.constant([[f"item_{number:02d}" for number in range(60)]])
    nothing = recommend(**{**inputs, "exclude_item_id": everything}, k=tf.constant([10]))
    assert (nothing["item_id"].numpy() == b"").all()
    assert (nothing["score"].numpy() == np.float32(LOWEST_SCORE)).all()


def test_models_hold_only_the_weights_they_read(candidate_dir, keras_reference):
    """A stage's folder has no weights of another one; retrieval has the vectors of all items beside its own."""

    def size(model: str) -> int:
        reader = tf.train.load_checkpoint(str(candidate_dir / "models" / model / "variables" / "variables"))
        shapes = reader.get_variable_to_shape_map()
        return sum(int(np.prod(shape)) for name, shape in shapes.items() if "CHECKPOINTABLE" not in name)

    retrieval, ranking = keras_reference.model.stages
    ranking_size = sum(int(np.prod(weight.shape)) for weight in ranking.weights)
    retrieval_size = sum(int(np.prod(weight.shape)) for weight in retrieval.weights)
    item_vectors_size = 61 * 5
    assert size("ranking") == ranking_size
    assert size("retrieval") == retrieval_size + item_vectors_size
    assert size("cascade") == ranking_size + retrieval_size + item_vectors_size
