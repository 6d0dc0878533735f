import pytest

from pipeline.runners.errors import root_cause
from sources.reading import DataError


def test_own_errors_speak_for_themselves():
    assert root_cause(DataError("a.csv: broken")) == "a.csv: broken"


def test_the_cause_counts():
    error = RuntimeError("component failed")
    error.__cause__ = DataError("a.csv: broken")
    assert root_cause(error) == "a.csv: broken"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("user_id"), "KeyError: 'user_id'"),
        (ValueError("first\n  second"), "ValueError: first second"),
        (MemoryError(), "MemoryError"),
        (
            RuntimeError("Traceback (most recent call last):\n  File x\nOSError: full [while running 'Write/Out']"),
            "OSError: full",
        ),
    ],
)
def test_other_errors_are_named_in_one_line(error, text):
    assert root_cause(error) == text
