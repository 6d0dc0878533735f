"""A client that asks all the time, while releases come, go back and are pinned."""

import threading

from patience import PATIENCE_S, wait_until

from serving.client import ClientConfig, RecommenderClient
from serving.release.manifest import Stage
from serving.release.pin_release import pin_release, unpin_release
from serving.release.push import push
from serving.release.rollback import rollback
from serving.release.store import ReleaseStore
from serving.server.program.release_server import label_watcher, release_server

STAGES = [Stage("retrieval", 6), Stage("ranking", 4)]
PAUSE_S = 0.01
"""Between two requests of a client: without one it would take the processor from the server that loads a release."""


def wait_for(release, answers, asker):
    """Waits until a release answers what the thread `asker` asks."""

    def has_answered():
        assert asker.is_alive(), "a request failed"
        return answers and answers[-1].release == release

    wait_until(has_answered)


def test_no_request_fails_and_none_mixes_releases(base, cascade_models, rewrite, looks):
    first = push(cascade_models(1), base, stages=STAGES).version
    scores = {first: 100.0}  # ranking's best score says which release it is of
    answers, done = [], threading.Event()

    with (
        release_server(base, port=0, poll_interval_s=0.05) as server,
        RecommenderClient(server.target, ClientConfig(STAGES, deadline_s=PATIENCE_S)) as client,
    ):
        watcher = label_watcher(server, base, 0.05)
        watcher.start()

        def ask():
            while not done.wait(PAUSE_S):
                answers.append(client.recommend(context={"tab": 5}, k=1))

        asker = threading.Thread(target=ask)
        asker.start()
        try:
            wait_for(first, answers, asker)
            second = push(cascade_models(2), base, stages=STAGES).version
            scores[second] = 200.0
            wait_for(second, answers, asker)
            back = rollback(first, base).version
            scores[back] = 100.0
            wait_for(back, answers, asker)
            pin_release(base, second)  # to an older one, which stays through two pushes
            wait_for(second, answers, asker)
            third = push(cascade_models(3), base, stages=STAGES).version
            fourth = push(cascade_models(4), base, stages=STAGES).version
            scores |= {third: 300.0, fourth: 400.0}
            rewrite(ReleaseStore(base).model_path("ranking", fourth) / "saved_model.pb", "damaged")
            num_answers = len(answers)
            looks.wait_for_one()
            wait_until(lambda: len(answers) > num_answers or not asker.is_alive())
            assert {answer.release for answer in answers[num_answers:]} == {second}
            unpin_release(base)
            wait_for(third, answers, asker)
        finally:
            done.set()
            asker.join()
            watcher.stop()
    assert {answer.release for answer in answers} == {first, second, back, third}
    assert all(answer.scores == [scores[answer.release]] for answer in answers)


def test_a_client_that_asks_a_label_gets_every_pinned_release_and_no_error(base, cascade_models):
    """The server may let go of a release only once the label has left it."""
    versions = [push(cascade_models(number), base, stages=STAGES).version for number in (1, 2, 3)]
    pin_release(base, versions[0])
    answers, done = [], threading.Event()
    with release_server(base, port=0, poll_interval_s=0.02) as server:
        watcher = label_watcher(server, base, 1.5)
        watcher.start()
        config = ClientConfig(STAGES, label="stable", deadline_s=PATIENCE_S)
        with RecommenderClient(server.target, config) as client:

            def ask():
                while not done.wait(PAUSE_S):
                    answers.append(client.recommend(context={"tab": 5}, k=1))

            asker = threading.Thread(target=ask)
            asker.start()
            try:
                for version in (*versions, versions[0]):
                    pin_release(base, version)
                    wait_for(version, answers, asker)
                    wait_until(lambda version=version: server.available_versions("retrieval") == [version])
                assert asker.is_alive(), "a request failed"
            finally:
                done.set()
                asker.join()
                watcher.stop()
    scores = {version: [100.0 * number] for number, version in enumerate(versions, start=1)}
    assert all(answer.scores == scores[answer.release] for answer in answers)
