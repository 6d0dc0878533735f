"""Releases that come, one of them damaged, and a server that is killed, while clients ask.

`--num-swaps 20` pushes twenty; `python -m benchmarks.swaps` does so with large ones, and looks at the time.
"""

from benchmarks.swaps.drill import Drill
from benchmarks.swaps.report import summary
from serving.client import Request
from serving.release.manifest import Stage

STAGES = (Stage("retrieval", 6), Stage("ranking", 4))


def test_no_request_fails_and_no_answer_is_wrong(tmp_path, cascade_models, request):
    releases = [cascade_models(number) for number in (1, 2)]
    requests = [Request(context={"tab": tab}, k=4) for tab in range(10)]
    drill = Drill(releases, STAGES, requests, tmp_path, lambda line: None)
    course = drill.run(num_swaps=request.config.getoption("--num-swaps"), num_clients=4, quiet_s=0.2, settle_s=0.5)
    result = summary(course)
    assert result.failures == {}
    assert (result.num_mixed, result.num_damaged, result.damaged_was_loaded) == (0, 0, False)
    assert result.num_releases == result.num_pushed == 1 + request.config.getoption("--num-swaps")
    assert result.is_correct
    kinds = [window.kind for window in course.windows]
    assert (kinds.count("damaged"), kinds.count("kill")) == (1, 1)
    # Requests that were under way when the server was killed are answered by the next one.
    assert any(answer.value.was_refused for answer in course.answers)
