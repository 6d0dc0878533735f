"""How a component tells the person at the terminal what it is doing."""

import logging

PROGRESS_LOGGER = "lcron.progress"
"""A runner shows the records of this logger; everything else that is logged goes to the log file."""


def report(text: str) -> None:
    """Reports one line of progress."""
    logging.getLogger(PROGRESS_LOGGER).info("%s", text)
