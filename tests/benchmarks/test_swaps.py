"""What the benchmark of swaps makes of a drill; tests/serving/release/test_swaps.py runs one."""

import pytest

from benchmarks.shared.client_processes import Answer
from benchmarks.swaps.drill import Course, Window
from benchmarks.swaps.known_answers import Judged, is_same
from benchmarks.swaps.report import summary, text


def course_of(values, *, failed=(), damaged_was_loaded=False):
    answers = [Answer(float(n), 0.5, value, n in failed) for n, value in enumerate(values)]
    windows = [
        Window("quiet", 0.0, 2.0, None, 100.0),
        Window("swap", 2.2, 3.2, 8, 120.0),
        Window("kill", 3.2, 4.0, 8, 110.0),
    ]
    return Course(answers, windows, {7: 0, 8: 1}, 9, damaged_was_loaded)


GOOD = [Judged(7, 0), Judged(7, 0), Judged(8, 1), Judged(8, 1), Judged(8, 1)]


def test_summary_of_a_good_course():
    result = summary(course_of(GOOD))
    assert result.is_correct
    assert result.num_requests == 5
    assert [(part.kind, part.num_requests) for part in result.parts] == [("quiet", 2), ("swap", 2), ("kill", 2)]
    assert result.parts[0].p99_ms == pytest.approx(500.0)
    assert result.recovery_s == pytest.approx(4.5 - 3.2)
    assert result.verdict.ratios == {"all swaps": pytest.approx(1.0)}
    assert "100 before, 110 at the end, 120 at most" in text(result, {})


@pytest.mark.parametrize(
    ("course", "field", "value"),
    [
        (course_of([*GOOD[:4], Judged(8, 0)]), "num_mixed", 1),
        (course_of([*GOOD[:4], Judged(8, None)]), "num_mixed", 1),
        (course_of([*GOOD[:4], Judged(9, 1)]), "num_damaged", 1),
        (course_of([*GOOD[:4], "TimeoutError: late"], failed=[4]), "failures", {"TimeoutError: late": 1}),
        (
            course_of([GOOD[0], Judged(7, 0, was_refused=True), *GOOD[2:]]),
            "failures",
            {"no server answered, though none was killed": 1},
        ),
        (course_of(GOOD, damaged_was_loaded=True), "damaged_was_loaded", True),
        (course_of(GOOD[2:]), "num_releases", 1),
    ],
)
def test_summary_of_a_bad_course(course, field, value):
    result = summary(course)
    assert getattr(result, field) == value
    assert not result.is_correct


def test_a_request_may_find_no_server_while_it_is_killed():
    assert summary(course_of([*GOOD[:3], Judged(8, 1, was_refused=True), GOOD[4]])).is_correct


def test_answers_that_are_the_same():
    known = {f"i{n}": float(n) for n in range(20)}
    assert is_same(known, known)
    assert is_same({**known, "i3": 3.01}, known)
    assert not is_same({**known, "i3": 3.03}, known)
    assert is_same({**{k: v for k, v in known.items() if k != "i0"}, "other": 0.5}, known)
    assert not is_same({f"j{n}": float(n) for n in range(20)}, known)
    assert not is_same({k: v for k, v in known.items() if k != "i0"}, known)
