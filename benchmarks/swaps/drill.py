"""Releases that come while clients ask: good ones, a damaged one, and a server that is killed."""

import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.shared.client_processes import Answer, ClientProcesses
from benchmarks.shared.server_process import ServerProcess
from benchmarks.swaps.known_answers import JudgedCalls, known_answers
from serving.client import Request
from serving.client.call import available_versions
from serving.client.model_client import ModelClient
from serving.release.manifest import Stage
from serving.release.push import push
from serving.release.store import ReleaseStore

Models = Mapping[str, Path]

_TIMEOUT_S = 900.0
_POLL_S = 0.05
_FLAGS = ("--enable_batching", "--file_system_poll_wait_seconds=0.5")


@dataclasses.dataclass(frozen=True)
class Window:
    """A part of the drill.

    Args:
      kind: `"quiet"`, a good release's `"swap"`, a `"damaged"` release that came, or a `"kill"` of the server.
      start_s: on the monotonic clock.
      end_s: likewise.
      release: that came.
      resident_mib: memory of the server at the end.
    """

    kind: str
    start_s: float
    end_s: float
    release: int | None
    resident_mib: float


@dataclasses.dataclass(frozen=True)
class Course:
    """What happened.

    Args:
      answers: that clients got.
      windows: the parts of the drill in their order.
      contents: by release, which of the given ones it is, by its place.
      damaged: the damaged release.
      damaged_was_loaded: whether a model ever had it.
    """

    answers: Sequence[Answer]
    windows: Sequence[Window]
    contents: Mapping[int, int]
    damaged: int
    damaged_was_loaded: bool


class Drill:
    """Pushes releases in turn under the load of clients, half of them asking stage after stage, half in one call.

    Args:
      releases: folders of the SavedModels by name; at least two, that answer differently.
      stages: the cascade in funnel order.
      requests: that clients ask.
      folder: to serve from, empty.
      report: gets a line for each part.
    """

    def __init__(
        self,
        releases: Sequence[Models],
        stages: Sequence[Stage],
        requests: Sequence[Request],
        folder: Path,
        report: Callable[[str], None],
    ) -> None:
        self._releases = releases
        self._stages = stages
        self._requests = requests
        self._folder = folder
        self._base = folder / "base"
        self._report = report
        self._contents: dict[int, int] = {}
        self._windows: list[Window] = []

    def run(self, *, num_swaps: int, num_clients: int, quiet_s: float, settle_s: float = 1.0) -> Course:
        """Pushes good releases, a damaged one halfway, and kills the server after three quarters of them.

        Args:
          num_swaps: good releases to push, after the first.
          num_clients: that ask all the time, at least 2.
          quiet_s: before the first of them and, a fifth of it, after each.
          settle_s: how long, at least, the first calls of a release that is served everywhere, which are slower, count
            as the swap; the damaged release has three times as long to be noticed.

        Raises:
          TimeoutError: a good release was not served in time.
        """
        known = known_answers(self._releases, self._stages, self._requests, self._folder)
        self._push()
        with ServerProcess(self._base, _FLAGS) as server, ModelClient(server.target) as models:
            calls = [
                JudgedCalls(
                    server.target,
                    self._stages,
                    self._requests,
                    one_call=one_call,
                    deadline_s=_TIMEOUT_S,
                    known=known,
                )
                for one_call in (False, True)
            ]
            shares = [num_clients - num_clients // 2, num_clients // 2]
            with ClientProcesses(list(zip(calls, shares, strict=True))) as clients:
                self._quiet(server, quiet_s)
                clients.ask_for(0)  # or a slow machine never asks the first release
                damaged, damaged_was_loaded = 0, False
                for number in range(num_swaps):
                    self._swap(server, models, clients, settle_s)
                    self._quiet(server, quiet_s / 5)
                    if number == num_swaps // 2:
                        damaged, damaged_was_loaded = self._damaged(server, models, 3 * settle_s)
                    if number == num_swaps * 3 // 4:
                        self._kill(server, models)
                answers = clients.stop()
        return Course(answers, self._windows, self._contents, damaged, damaged_was_loaded)

    def _push(self) -> int:
        content = len(self._contents) % len(self._releases)
        version = push(self._releases[content], self._base, stages=self._stages).version
        self._contents[version] = content
        return version

    def _quiet(self, server: ServerProcess, seconds: float) -> None:
        start_s = time.monotonic()
        time.sleep(seconds)
        self._end("quiet", start_s, server)

    def _swap(self, server: ServerProcess, models: ModelClient, clients: ClientProcesses, settle_s: float) -> None:
        start_s = time.monotonic()
        version = self._push()
        self._wait_for(models, version)
        clients.ask_for(settle_s)
        self._end("swap", start_s, server, version)

    def _damaged(self, server: ServerProcess, models: ModelClient, watched_s: float) -> tuple[int, bool]:
        """Has a release come whose largest weights have one wrong bit; returns it and whether any model had it."""
        start_s = time.monotonic()
        elsewhere = self._folder / "elsewhere"
        (elsewhere / self._stages[0].name / str(max(self._contents))).mkdir(parents=True)  # so that it is newer
        manifest = push(self._releases[0], elsewhere, stages=self._stages)
        store, theirs = ReleaseStore(self._base), ReleaseStore(elsewhere)
        weights = Path(theirs.model_path(self._stages[0].name, manifest.version)) / "variables"
        _turn_bit(max(weights.iterdir(), key=lambda path: path.stat().st_size))
        for name in manifest.models:
            shutil.copytree(theirs.model_path(name, manifest.version), store.model_path(name, manifest.version))
        os.rename(theirs.manifest_path(manifest.version), store.manifest_path(manifest.version))
        was_loaded = False
        while time.monotonic() < start_s + watched_s:
            was_loaded |= any(manifest.version in self._versions(models, name) for name in manifest.models)
            time.sleep(_POLL_S)
        self._end("damaged", start_s, server, manifest.version)
        return manifest.version, was_loaded

    def _kill(self, server: ServerProcess, models: ModelClient) -> None:
        start_s = time.monotonic()
        server.kill()
        server.start()
        self._wait_for(models, max(self._contents))
        self._end("kill", start_s, server, max(self._contents))

    def _wait_for(self, models: ModelClient, version: int) -> None:
        """Waits until every model has the release and has let go of the one before the last."""
        wanted = set(sorted(self._contents)[-2:])
        end_s = time.monotonic() + _TIMEOUT_S
        while any(self._versions(models, name) != wanted for name in self._releases[0]):
            if time.monotonic() > end_s:
                raise TimeoutError(f"Release {version} was not served in {_TIMEOUT_S:g} s")
            time.sleep(_POLL_S)

    def _versions(self, models: ModelClient, name: str) -> set[int]:
        return models.make(available_versions(name, end_s=time.monotonic() + _TIMEOUT_S))

    def _end(self, kind: str, start_s: float, server: ServerProcess, release: int | None = None) -> None:
        window = Window(kind, start_s, time.monotonic(), release, server.resident_mib())
        self._windows.append(window)
        took_s = window.end_s - window.start_s
        self._report(
            f"{kind}{'' if release is None else f' {release}'}: {took_s:.1f} s, {window.resident_mib:,.0f} MiB"
        )


def _turn_bit(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        (byte,) = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
