import io
import re

import pytest
from patience import wait_until

from pipeline.runners.ticker import Ticker, format_duration


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_gets_one_line_that_goes_away():
    terminal = _Terminal()
    with Ticker("[ 1/14] CascadeTrainer", terminal):
        wait_until(terminal.getvalue)
    line = r"\r\x1b\[K\[ 1/14\] CascadeTrainer: running, [1-9][\d.]* (s|min \d\d s)"
    assert re.fullmatch(rf"({line})+\r\x1b\[K", terminal.getvalue())


def test_file_gets_nothing_of_a_short_step():
    stream = io.StringIO()
    with Ticker("step", stream) as ticker:
        pass
    assert stream.getvalue() == ""
    assert ticker.elapsed_s >= 0


@pytest.mark.parametrize(
    ("duration_s", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (42.4, "42 s"), (60, "1 min 00 s"), (187, "3 min 07 s")]
)
def test_format_duration(duration_s, text):
    assert format_duration(duration_s) == text
