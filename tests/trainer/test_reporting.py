import re

from trainer.reporting import Progress


def test_lines_say_how_far_how_fast_and_when_done() -> None:
    lines: list[str] = []
    progress = Progress(lines.append, "candidate", 2_000, interval_s=0)
    progress.add(500)
    progress.add(1_500)
    first, last = lines
    assert re.fullmatch(r"candidate: 500/2,000 requests, [\d,]+ requests/s, ETA \d+ s", first)
    assert re.fullmatch(r"candidate: 2,000/2,000 requests, [\d,]+ requests/s, \d+\.\d s", last)


def test_lines_keep_their_interval_but_the_last_one_comes() -> None:
    lines: list[str] = []
    progress = Progress(lines.append, "candidate", 3, interval_s=3_600)
    for _ in range(3):
        progress.add(1)
    assert len(lines) == 1


def test_silent_without_a_reporter() -> None:
    Progress(None, "candidate", 1).add(1)
