"""Clients that ask all the time, each for its next answer once it has the last one, in processes of their own.

The processes are copies of one that has imported the project's client, and done nothing with it.
"""

import asyncio
import dataclasses
import multiprocessing
import resource
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

Ask = Callable[[int], Awaitable[Any]]
"""Asks the n-th question, counted over all clients; what it returns is kept with the answer."""


class Calls(Protocol):
    """What clients ask."""

    def open(self) -> Ask:
        """Connects, inside the event loop of the clients' process."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer, or what came instead.

    Args:
      start_s: of the call, on the machine's monotonic clock.
      latency_s: that it took.
      value: what `Ask` returned; an exception that it raised, as text.
      failed: whether it raised one.
    """

    start_s: float
    latency_s: float
    value: Any
    failed: bool

    @property
    def end_s(self) -> float:
        """When it came."""
        return self.start_s + self.latency_s


class ClientProcesses:
    """Closed-loop clients; a context that starts and ends them.

    Args:
      calls: what they ask, by process: a pair of calls and number of clients for each.

    Raises:
      RuntimeError: the first question of a process was not answered.

    Example:
      with ClientProcesses([(calls, 16), (calls, 16)]) as clients:
          time.sleep(10)
          answers = clients.stop()
    """

    def __init__(self, calls: list[tuple[Calls, int]]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["serving.client"])
        self._stopping = context.Event()
        self._num_answers = context.Value("Q", 0)
        self._num_clients = sum(num_clients for _, num_clients in calls)
        self._receivers: list[Connection] = []
        self._processes = []
        self.processor_s = 0.0
        """Processor time of the processes between their first answers and the last, known after `stop`."""
        for number, (each, num_clients) in enumerate(calls):
            receiver, sender = context.Pipe(duplex=False)
            arguments = (each, num_clients, number, sender, self._stopping, self._num_answers)
            self._processes.append(context.Process(target=_run_process, args=arguments, daemon=True))
            self._receivers.append(receiver)
            self._processes[-1].start()
            sender.close()

    def ask_for(self, seconds: float) -> None:
        """Returns after some seconds, and once a question was answered, or failed, that was asked meanwhile."""
        before = self._num_answers.value + self._num_clients  # each client has at most one question under way
        time.sleep(seconds)
        while self._num_answers.value <= before and all(process.is_alive() for process in self._processes):
            time.sleep(0.01)

    def stop(self) -> list[Answer]:
        """Lets every client have its last answer, at least one; returns all in the order they were asked for."""
        self._stopping.set()
        answers: list[Answer] = []
        for receiver in self._receivers:
            own, processor_s = receiver.recv()
            answers += own
            self.processor_s += processor_s
        return sorted(answers, key=lambda answer: answer.start_s)

    def __enter__(self) -> "ClientProcesses":
        for receiver in self._receivers:
            problem = receiver.recv()
            if problem is not None:
                self.__exit__(None, None, None)
                raise RuntimeError(f"The first question was not answered: {problem}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes:
            if not self._stopping.is_set():
                process.kill()
            process.join()


def _run_process(
    calls: Calls, num_clients: int, number: int, sender: Connection, stopping: Event, num_answers: "Synchronized[int]"
) -> None:
    asyncio.run(_run_clients(calls, num_clients, number, sender, stopping, num_answers))


async def _run_clients(
    calls: Calls, num_clients: int, number: int, sender: Connection, stopping: Event, num_answers: "Synchronized[int]"
) -> None:
    ask = calls.open()
    try:
        await ask(0)
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")
        return
    sender.send(None)
    before_s = _processor_s()
    answers: list[Answer] = []

    async def run_client(client: int) -> None:
        question = client * 1009 + number
        is_last = False
        while not is_last:
            is_last = stopping.is_set()
            start_s = time.monotonic()
            try:
                value, failed = await ask(question), False
            except Exception as error:
                value, failed = f"{type(error).__name__}: {error}", True
            answers.append(Answer(start_s, time.monotonic() - start_s, value, failed))
            with num_answers.get_lock():
                num_answers.value += 1
            question += 1

    await asyncio.gather(*map(run_client, range(num_clients)))
    sender.send((answers, _processor_s() - before_s))


def _processor_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
