"""Deadlines of the hops, the fallback, and calls that are made again, through a proxy that holds or refuses calls."""

import contextlib
import re
import time

import pytest
from patience import PATIENCE_S

from serving.client import ClientConfig, RetryPolicy
from serving.client.call import Pause, predict
from serving.client.errors import InvalidRequestError, RecommendTimeoutError, ServerUnavailableError
from serving.client.retry import with_retries
from serving.release.manifest import Stage

STAGES = (Stage("retrieval", 6), Stage("ranking", 4))
PATIENT = ClientConfig(STAGES, deadline_s=PATIENCE_S)
AT_ONCE = RetryPolicy(initial_pause_s=0, max_pause_s=0)


def outcome(recommend, *, is_early):
    """The answer or the timeout of a call that is made with longer and longer deadlines, as a slow machine needs them.

    Args:
      recommend: makes the call, within a number of seconds.
      is_early: whether a model missed its deadline before the one that is held was asked.
    """
    deadline_s = 0.5
    while True:
        try:
            ended = recommend(deadline_s)
        except RecommendTimeoutError as error:
            ended = error
        if not is_early(ended) or deadline_s > PATIENCE_S / 4:
            return ended
        deadline_s *= 2


def is_late_retrieval(ended):
    return str(ended).startswith("Model 'retrieval'")


def test_fallback_when_ranking_misses_its_deadline(proxy, open_client):
    client = open_client(proxy.target, PATIENT)
    on_time = client.recommend(context={"tab": 5}, k=10)
    assert (on_time.item_ids, on_time.fallback) == (["i5", "i6", "i4", "i7"], False)
    proxy.held.add("ranking")
    late = outcome(
        lambda deadline_s: client.recommend(context={"tab": 5}, k=10, deadline_s=deadline_s), is_early=is_late_retrieval
    )
    assert (late.item_ids, late.scores, late.fallback) == (["i9", "i8", "i7", "i6"], [9.0, 8.0, 7.0, 6.0], True)
    assert late.release == on_time.release


def test_fallback_of_three_stages_is_the_order_of_the_second(proxy, open_client):
    # The model `cascade` has no signature that scores, so the third stage can only be held.
    stages = (*STAGES, Stage("cascade", 2))
    client = open_client(proxy.target, ClientConfig(stages, deadline_s=PATIENCE_S))
    proxy.held.add("cascade")
    answer = outcome(
        lambda deadline_s: client.recommend(context={"tab": 5}, k=10, deadline_s=deadline_s),
        is_early=lambda ended: is_late_retrieval(ended) or ended.item_ids[0] == "i9",  # retrieval's best
    )
    assert (answer.item_ids, answer.scores, answer.fallback) == (["i5", "i6"], [100.0, 99.0], True)


def test_no_fallback_where_it_is_turned_off(proxy, open_client):
    proxy.held.add("ranking")
    client = open_client(proxy.target, ClientConfig(STAGES, fallback=False))
    late = outcome(lambda deadline_s: client.recommend(deadline_s=deadline_s), is_early=is_late_retrieval)
    assert isinstance(late, RecommendTimeoutError)
    assert re.fullmatch("Model 'ranking' at .* did not answer in time", str(late))


@pytest.mark.parametrize(("one_call", "model"), [(False, "retrieval"), (True, "cascade")])
def test_no_fallback_of_the_first_call(proxy, open_client, one_call, model):
    proxy.held.add(model)
    client = open_client(proxy.target, ClientConfig(STAGES, deadline_s=0.5, one_call=one_call))
    with pytest.raises(RecommendTimeoutError, match=rf"^Model '{model}' at .* did not answer in time$"):
        client.recommend()


def test_unavailable_is_tried_again(proxy, open_client):
    client = open_client(proxy.target, PATIENT)
    proxy.refusals.update({"retrieval": 3, "ranking": 2})
    answer = client.recommend(context={"tab": 5}, k=1)
    assert (answer.item_ids, answer.fallback) == (["i5"], False)
    assert proxy.calls == ["retrieval"] * 4 + ["ranking"] * 3


def test_unavailable_for_too_long(proxy, open_client):
    client = open_client(proxy.target, ClientConfig(STAGES, deadline_s=PATIENCE_S, retry=AT_ONCE))
    proxy.refusals["retrieval"] = 100
    with pytest.raises(ServerUnavailableError, match=r"^No model server answers at .*: refused$"):
        client.recommend()
    assert proxy.calls == ["retrieval"] * 4
    proxy.refusals.update({"retrieval": -100, "ranking": 100})
    assert client.recommend(k=1).fallback


def test_other_failures_are_not_tried_again(proxy, open_client):
    client = open_client(proxy.target, ClientConfig((STAGES[0], Stage("cascade", 2)), deadline_s=PATIENCE_S))
    with pytest.raises(InvalidRequestError, match="score_examples"):
        client.recommend()
    assert proxy.calls == ["retrieval", "cascade"]


def test_attempts_and_pauses_end_with_the_time():
    def drive(policy, seconds):
        """Refuses every attempt; returns the pauses."""
        steps = with_retries(predict("m", "s", {}, end_s=time.monotonic() + seconds), policy)
        step, pauses_s = next(steps), []
        with contextlib.suppress(ServerUnavailableError):
            while True:
                if isinstance(step, Pause):
                    pauses_s.append(step.duration_s)
                    step = next(steps)
                else:
                    step = steps.throw(ServerUnavailableError("gone"))
        return pauses_s

    assert len(drive(RetryPolicy(max_attempts=6), 1000)) == 5
    assert all(pause_s < 0.5 for pause_s in drive(RetryPolicy(max_attempts=99, initial_pause_s=9, max_pause_s=9), 0.5))
    assert drive(RetryPolicy(max_attempts=6), -1) == []
    assert drive(RetryPolicy(max_attempts=1), 1000) == []


def test_pauses_double_up_to_the_longest_and_are_drawn_from_all_of_it():
    policy = RetryPolicy(max_attempts=9, initial_pause_s=0.1, max_pause_s=0.5)
    for num_failures, longest_s in ((1, 0.1), (2, 0.2), (3, 0.4), (4, 0.5), (500, 0.5)):
        pauses_s = [policy.pause_s(num_failures) for _ in range(1000)]
        assert 0 <= min(pauses_s) < 0.1 * longest_s
        assert 0.9 * longest_s < max(pauses_s) <= longest_s


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_attempts": 0}, "`max_attempts` must be at least 1. Received: max_attempts=0"),
        ({"initial_pause_s": 2}, "`initial_pause_s` must be from 0 to `max_pause_s`. Received: initial_pause_s=2"),
        ({"initial_pause_s": -1}, "`initial_pause_s` must be from 0"),
    ],
)
def test_retry_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RetryPolicy(**arguments)
