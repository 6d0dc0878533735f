import pytest

from datasets.errors import DataError
from pipeline.runners.errors import root_cause


def test_own_errors_speak_for_themselves():
    assert root_cause(DataError("a.csv: broken")) == "a.csv: broken"


def test_the_cause_counts():
    try:
        try:
            raise DataError("a.csv: broken")
        except DataError as error:
            raise RuntimeError("component failed") from error
    except RuntimeError as error:
        assert root_cause(error) == "a.csv: broken"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("user_id"), "KeyError: 'user_id'"),
        (ValueError("first\n  second"), "ValueError: first second"),
        (MemoryError(), "MemoryError"),
        (
            RuntimeError("Traceback (most recent call last):\n  File x\nOSError: disk full [while running 'Write/Out']"),
            "OSError: disk full",
        ),
    ],
)
def test_other_errors_are_named_in_one_line(error, text):
    assert root_cause(error) == text
