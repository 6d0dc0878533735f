"""Time and peak memory of a function, measured in a process of its own."""

import contextlib
import dataclasses
import importlib
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

Step = Callable[[], object]

_MIN_REPEATS, _MAX_REPEATS, _REPEAT_S = 3, 30, 1.0


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one call of a function costs.

    Args:
      min_s: fastest of the calls after the first.
      median_s: median of them.
      first_s: first call, which traces and compiles.
      peak_bytes: growth of the process's peak memory, the result and what the allocator keeps included.
      num_repeats: calls after the first.
    """

    min_s: float
    median_s: float
    first_s: float
    peak_bytes: int
    num_repeats: int


class Measurer:
    """Measures functions, each in a process that has imported their module and done nothing else.

    Args:
      module: has a function `build(case, small)`, which returns the function to measure, without arguments. It is
        imported once, apart from this process; every measurement starts as a copy of a process that has it.
      time_limit_s: of one measurement, everything included.
    """

    def __init__(self, module: str, time_limit_s: float) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([module])
        self._module = module
        self._time_limit_s = time_limit_s

    def measure(self, case: object) -> Measurement:
        """Measures the function that `build(case, False)` returns.

        `build(case, True)` makes a small version of it, which is called first: what a first call of any size loads
        and compiles is not counted as the memory of the case.

        Raises:
          TimeoutError: it takes longer than the limit.
          RuntimeError: it raised an error, or the process ended.
        """
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_measure, args=(sender, self._module, case, self._time_limit_s), daemon=True
        )
        process.start()
        sender.close()
        try:
            if not receiver.poll(self._time_limit_s):
                raise TimeoutError(f"Took longer than {self._time_limit_s:g} s")
            result = receiver.recv()
        except EOFError:
            process.join()
            raise RuntimeError(f"The process ended with exit code {process.exitcode}") from None
        finally:
            process.kill()
            process.join()
            receiver.close()
        if isinstance(result, str):
            raise RuntimeError(result)
        return result


def _measure(sender: Connection, module: str, case: object, time_limit_s: float) -> None:
    deadline = time.monotonic() + time_limit_s
    try:
        build: Callable[[object, bool], Step] = importlib.import_module(module).build
        build(case, True)()
        step = build(case, False)
        before = _peak_bytes()
        first_s = _time(step)
        times: list[float] = []
        while len(times) < _MIN_REPEATS or (sum(times) < _REPEAT_S and len(times) < _MAX_REPEATS):
            if times and time.monotonic() + 1.5 * max(times) > deadline:
                break
            times.append(_time(step))
        peak = _peak_bytes() - before
        sender.send(Measurement(min(times), statistics.median(times), first_s, peak, len(times)))
    except Exception as error:  # whatever a case raises belongs into its row of the table
        with contextlib.suppress(OSError):
            sender.send(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


def _time(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
