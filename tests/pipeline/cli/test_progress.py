import re

from pipeline.cli.progress import Progress


def test_reports_count_rate_and_time_left(capsys):
    with Progress("simulate", "requests", interval_s=0.0) as progress:
        progress.update(250, 1000)
        progress.update(1000, 1000)
    first, last = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"simulate: 250 / 1,000 requests, [\d,]+/s, ETA \d+ s", first)
    assert re.fullmatch(r"simulate: 1,000 / 1,000 requests, [\d,]+/s, ETA 0 s", last)


def test_is_quiet_between_intervals_but_shows_the_end(capsys):
    with Progress("simulate", "requests", interval_s=3600.0) as progress:
        for done in range(1, 11):
            progress.update(done, 10)
    assert len(capsys.readouterr().err.splitlines()) == 1
