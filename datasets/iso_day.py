"""Days as files are named by them."""

import datetime


def is_iso_day(text: str) -> bool:
    """Whether `text` is a day such as `"2024-01-13"`."""
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
