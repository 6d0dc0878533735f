"""A cell of the serving benchmark: some clients that ask one kind of thing."""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.shared.client_processes import Calls, ClientProcesses
from benchmarks.shared.server_process import ServerProcess

CLIENTS_PER_PROCESS = 16
_WARM_UP_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class Cell:
    """What clients saw of a server.

    Args:
      num_items: of the catalogue.
      call: what they asked.
      num_clients: that asked, each for its next answer once it had the last one.
      batching: whether the server joined their calls.
      p50_ms: median time of a request.
      p99_ms: 99th percentile of it.
      requests_per_s: of all clients together.
      num_failed: requests that were not answered.
      server_cores: processors that the server kept busy.
      client_cores: processors that the clients kept busy.
    """

    num_items: int
    call: str
    num_clients: int
    batching: bool
    p50_ms: float
    p99_ms: float
    requests_per_s: float
    num_failed: int
    server_cores: float
    client_cores: float


def measure(
    calls: Calls, server: ServerProcess, *, num_items: int, call: str, num_clients: int, batching: bool, seconds: float
) -> Cell:
    """Has clients ask for some seconds, and until there is an answer, after a fifth of them that does not count.

    Raises:
      RuntimeError: every request failed.
    """
    with ClientProcesses([(calls, number) for number in _shares(num_clients)]) as clients:
        time.sleep(_WARM_UP_SHARE * seconds)
        begin_s, before_s = time.monotonic(), server.processor_s()
        clients.ask_for(seconds)
        end_s, server_s = time.monotonic(), server.processor_s() - before_s
        answers = clients.stop()
        asked_s = answers[-1].end_s - answers[0].start_s
    counted = [answer for answer in answers if begin_s <= answer.end_s < end_s]
    latencies_s = [answer.latency_s for answer in counted if not answer.failed]
    if not latencies_s:
        raise RuntimeError(f"{call}: all {len(counted)} requests failed")
    p50_s, p99_s = np.percentile(latencies_s, [50, 99])
    return Cell(
        num_items=num_items,
        call=call,
        num_clients=num_clients,
        batching=batching,
        p50_ms=1e3 * float(p50_s),
        p99_ms=1e3 * float(p99_s),
        requests_per_s=len(latencies_s) / (end_s - begin_s),
        num_failed=len(counted) - len(latencies_s),
        server_cores=server_s / (end_s - begin_s),
        client_cores=clients.processor_s / asked_s,
    )


def _shares(num_clients: int) -> Sequence[int]:
    num_processes = -(-num_clients // CLIENTS_PER_PROCESS)
    return [num_clients // num_processes + (number < num_clients % num_processes) for number in range(num_processes)]
