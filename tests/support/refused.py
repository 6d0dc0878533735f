"""What a command says that refuses."""

import subprocess


def assert_refused(result: subprocess.CompletedProcess, message: str, code: int = 2) -> None:
    """Nothing on stdout, and on stderr one line that holds the message."""
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
