"""What a client may ask, line by line, of a release that the trainer exported, in every way of asking."""

import math
import shutil
import time

import numpy as np
import pytest
import tensorflow as tf
from patience import PATIENCE_S

from serving.client import ClientConfig, Request
from serving.client.call import predict
from serving.client.errors import InvalidRequestError
from serving.client.model_client import ModelClient
from serving.release.manifest import Stage
from serving.release.push import push
from serving.server.program.release_server import release_server

STAGES = (Stage("retrieval", 20), Stage("ranking", 10))
UNICODE_ITEM = "物品 é✓"
ITEMS = [UNICODE_ITEM if number == 11 else f"item_{number:02d}" for number in range(60)]
WITHOUT_FEATURES = "item_07"  # has no `category`
KNOWN = {
    "user": "user_3",
    "context": {"age": 23, "activity": 1.5},
    "history": {"item_id": ["item_03", "item_07"], "grade": [1, 3]},
}


@pytest.fixture(scope="module")
def release_target(candidate_dir, tmp_path_factory):
    """Serves the tiny candidate release, one of its items renamed."""
    folder = tmp_path_factory.mktemp("release")
    models = {}
    for name in ("retrieval", "ranking", "cascade"):
        models[name] = folder / "models" / name
        shutil.copytree(candidate_dir / "models" / name, models[name])
        (item_ids,) = models[name].glob("assets/*item_ids*")
        item_ids.write_text(item_ids.read_text().replace("item_11", UNICODE_ITEM))
    push(models, folder / "base", stages=STAGES)
    with release_server(folder / "base", port=0) as server:
        yield server.target


@pytest.fixture(scope="module", params=[False, True], ids=["two_hops", "one_call"])
def client(release_target, open_client, request):
    return open_client(release_target, ClientConfig(STAGES, deadline_s=PATIENCE_S, one_call=request.param))


def assert_is_full(answer):
    assert len(set(answer.item_ids)) == STAGES[-1].capacity
    assert set(answer.item_ids) <= set(ITEMS)
    assert answer.scores == sorted(answer.scores, reverse=True)
    assert all(math.isfinite(score) for score in answer.scores)


def test_known_user(client):
    assert_is_full(client.recommend(**KNOWN))


def test_unknown_user_is_answered_as_one_without_an_id(client):
    answer = client.recommend(**KNOWN | {"user": "nobody"})
    assert_is_full(answer)
    assert answer.item_ids == client.recommend(**KNOWN | {"user": None}).item_ids


@pytest.mark.parametrize("history", [(), {}, {"item_id": [], "grade": []}])
def test_empty_history(client, history):
    assert_is_full(client.recommend(**KNOWN | {"history": history}))


def test_unknown_history_item_counts_as_the_unknown_item(client):
    one, other = (
        client.recommend(**KNOWN | {"history": {"item_id": ["item_03", item], "grade": [1, 3]}})
        for item in ("nowhere", "not there either")
    )
    assert_is_full(one)
    assert (one.item_ids, one.scores) == (other.item_ids, other.scores)


def test_no_features_at_all(client):
    assert_is_full(client.recommend())


def test_k_of_0_is_answered_with_no_items(client):
    answer = client.recommend(**KNOWN, k=0)
    assert (answer.item_ids, answer.scores, answer.fallback) == ([], [], False)
    assert answer.release == client.recommend(**KNOWN, k=1).release


@pytest.mark.parametrize("k", [61, 10**12])
def test_k_beyond_the_catalogue_is_all_that_the_last_stage_passes_on(client, k):
    assert client.recommend(**KNOWN, k=k).item_ids == client.recommend(**KNOWN, k=10).item_ids


def test_a_batch_of_unequal_k(client):
    answers = client.recommend_batch([Request(**KNOWN, k=k) for k in (0, 3, 1000)])
    assert [len(answer.item_ids) for answer in answers] == [0, 3, 10]
    assert answers[2].item_ids[:3] == answers[1].item_ids


def test_exclusion_of_everything(client):
    answer = client.recommend(**KNOWN, exclude=ITEMS)
    assert (answer.item_ids, answer.scores, answer.fallback) == ([], [], False)


def test_duplicate_exclusions_count_once(client):
    best, second, *_ = client.recommend(**KNOWN, k=10).item_ids
    once, often = (client.recommend(**KNOWN, k=10, exclude=exclude) for exclude in ([best], [best] * 5))
    assert once.item_ids[0] == second
    assert best not in once.item_ids
    assert often.item_ids == once.item_ids


def test_nan_is_refused_by_name(client):
    context = {"activity": float("nan")}
    with pytest.raises(InvalidRequestError, match=r"^`activity` must be a number\. Received: NaN$"):
        client.recommend(context=context)
    with pytest.raises(InvalidRequestError, match=r"^`activity` must be a number\. Received: NaN$"):
        client.recommend(context={"activity": np.float32("nan")})


def test_exclusion_list_of_100_000_items(client):
    left = ["item_20", "item_21"]
    exclude = [item for item in ITEMS if item not in left] + [f"strange_item_{number}" for number in range(100_000)]
    assert sorted(client.recommend(**KNOWN, exclude=exclude[::-1]).item_ids) == left


def test_unicode_ids(client):
    exclude = [item for item in ITEMS if item != UNICODE_ITEM] + ["ещё одна"]
    history = {"item_id": [UNICODE_ITEM, "𝒾𝓉𝑒𝓂"], "grade": [1, 2]}
    assert client.recommend("użytkownik ✓", history=history, exclude=exclude).item_ids == [UNICODE_ITEM]
    assert client.recommend(exclude=[*exclude, UNICODE_ITEM]).item_ids == []


@pytest.mark.parametrize("name", ["user", "history", "exclude"])
def test_text_that_utf_8_cannot_write(client, name):
    value = "\ud800" if name == "user" else ["\ud800"]
    value = {"item_id": value, "grade": [1]} if name == "history" else value
    field = "history_item_id" if name == "history" else name
    with pytest.raises(InvalidRequestError, match=rf"^`{field}` must be text\. Received: '\\ud800'$"):
        client.recommend(**{name: value})


def test_item_in_the_catalogue_without_features(client):
    answer = client.recommend(**KNOWN, exclude=[item for item in ITEMS if item != WITHOUT_FEATURES])
    assert answer.item_ids == [WITHOUT_FEATURES]
    assert math.isfinite(answer.scores[0])


def test_nan_that_another_client_sends_does_not_reach_the_scores(release_target):
    feature = {"activity": tf.train.Feature(float_list=tf.train.FloatList(value=[float("nan")]))}
    example = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    inputs = {"examples": np.array([example], object), "k": np.int32([10])}
    with ModelClient(release_target) as models:
        call = predict("cascade", "recommend_examples", inputs, end_s=time.monotonic() + PATIENCE_S)
        outputs = models.make(call).outputs
    assert np.isfinite(outputs["score"]).all()
    assert (outputs["item_id"] != b"").all()
