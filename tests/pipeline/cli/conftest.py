import subprocess
import sys
from collections.abc import Callable

import pytest

from pipeline.cli import main


@pytest.fixture
def lcron_here(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> Callable[..., subprocess.CompletedProcess]:
    """Runs the command line in this process, where it is not the process that matters."""

    def lcron_here(*arguments: str) -> subprocess.CompletedProcess:
        monkeypatch.setattr(sys, "argv", ["lcron", *arguments])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return lcron_here
