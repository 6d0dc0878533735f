"""A server of releases as a process of its own, and what it uses."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_PROGRAM = "from pipeline.cli import main; main()"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ServerProcess:
    """`lcron serve --server embedded` on a port of this machine.

    Args:
      base: folder of the releases.
      flags: of the server.

    Example:
      with ServerProcess(base, ["--enable_batching"]) as server:
          channel = grpc.insecure_channel(server.target)
    """

    def __init__(self, base: Path, flags: Sequence[str] = ()) -> None:
        self._base = base
        self._flags = flags
        self._process: subprocess.Popen[str] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.target = f"127.0.0.1:{probe.getsockname()[1]}"
        """Address, the same after a restart."""

    def start(self) -> None:
        """Starts the process and waits until the server answers.

        Raises:
          RuntimeError: it does not.
        """
        port = self.target.rpartition(":")[2]
        options = ["--server", "embedded", "--base", str(self._base), "--port", port, *self._flags]
        with tempfile.TemporaryFile("w+") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", _PROGRAM, "serve", *options],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            if not line.startswith("Serving release"):
                self.kill()
                errors.seek(0)
                raise RuntimeError(f"The server did not start: {errors.read().strip() or 'it said nothing'}")

    def kill(self) -> None:
        """Ends the process at once, as `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def processor_s(self) -> float:
        """Returns the processor time that the process has used, user's and system's, in seconds."""
        words = self._proc("stat").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / _TICKS_PER_S

    def resident_mib(self) -> float:
        """Returns the memory of the process that is in use (RSS), in MiB."""
        (line,) = (line for line in self._proc("status").splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def __enter__(self) -> "ServerProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def _proc(self, name: str) -> str:
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/{name}").read_text()
