"""The threads that run batches, and the queues that they serve."""

import os
import threading
import time
from collections import deque

import grpc
import numpy as np

from serving.server.batching.batch import Arrays, Task, batch_size, run_batch
from serving.server.batching.parameters import BatchingOptions
from serving.server.calls.signature import Runner
from serving.server.errors import ServingError, invalid_argument
from serving.server.metrics import Metrics


class Batcher:
    """Threads that serve the queues of all signatures of all models.

    A batch runs when it is full or when its first call has waited for the timeout, the one that waits longest first.
    Only calls with rows of one shape are joined, unless the options ask for padding.

    Args:
      options: how calls are joined.
      metrics: where batches are counted.
    """

    def __init__(self, options: BatchingOptions, metrics: Metrics):
        self._options = options
        self._metrics = metrics
        self._changed = threading.Condition()
        self._waiting: dict[_Queue, None] = {}  # queues with a task, in the order that they got their first one
        self._stopping = False
        for number in range(options.num_batch_threads or os.cpu_count() or 1):
            threading.Thread(target=self._work, name=f"batch-{number}", daemon=True).start()

    def batched(self, run: Runner) -> Runner:
        """Returns a runner that joins its calls into runs of `run`."""
        queue = _Queue(run, self._options)

        def call(inputs: Arrays) -> dict[str, np.ndarray]:
            size = batch_size(inputs)
            if not size:
                return run(inputs)
            tasks = self._submit(queue, inputs, size)
            parts = [task.outputs.result() for task in tasks]
            if len(parts) == 1:
                return parts[0]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

        return call

    def stop(self) -> None:
        """Ends the threads; no call may be in flight."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _submit(self, queue: "_Queue", inputs: Arrays, size: int) -> list[Task]:
        limit = self._options.batch_limit
        if size > self._options.max_batch_size:
            raise invalid_argument(
                f"Task size {size} is larger than maximum input batch size {self._options.max_batch_size}"
            )
        starts = range(0, size, limit)
        parts = [{name: array[start : start + limit] for name, array in inputs.items()} for start in starts]
        tasks = [Task(part, min(limit, size - start)) for part, start in zip(parts, starts, strict=True)]
        with self._changed:
            if queue.size + size > self._options.max_enqueued_batches * limit:
                raise ServingError(
                    grpc.StatusCode.UNAVAILABLE,
                    "The batch scheduling queue to which this task was submitted is full",
                )
            queue.tasks.extend(tasks)
            queue.size += size
            self._waiting.setdefault(queue)
            self._changed.notify()
        return tasks

    def _work(self) -> None:
        while True:
            with self._changed:
                queue = self._next()
                while queue is None:
                    if self._stopping:
                        return
                    self._changed.wait(self._pause_s())
                    queue = self._next()
                tasks = queue.take()
                if not queue.tasks:
                    del self._waiting[queue]
                elif self._next() is not None:
                    self._changed.notify()
            run_batch(tasks, queue.run, self._options, self._metrics)

    def _next(self) -> "_Queue | None":
        now_s = time.monotonic()
        ready = [queue for queue in self._waiting if queue.is_ready(now_s)]
        return min(ready, key=lambda queue: queue.tasks[0].enqueued_at_s) if ready else None

    def _pause_s(self) -> float | None:
        if not self._waiting:
            return None
        first_s = min(queue.tasks[0].enqueued_at_s for queue in self._waiting)
        return max(first_s + self._options.batch_timeout_s - time.monotonic(), 0.0)


class _Queue:
    """The tasks that wait for a signature; the batcher's lock guards it."""

    def __init__(self, run: Runner, options: BatchingOptions):
        self.run = run
        self.tasks: deque[Task] = deque()
        self.size = 0
        self._options = options

    def is_ready(self, now_s: float) -> bool:
        waited_s = now_s - self.tasks[0].enqueued_at_s
        return self.size >= self._options.batch_limit or waited_s >= self._options.batch_timeout_s

    def take(self) -> list[Task]:
        """Removes and returns the next batch: the first task and those behind it that fit."""
        first = self.tasks[0]
        shapes = first.row_shapes
        batch: list[Task] = []
        left: deque[Task] = deque()
        room = self._options.batch_limit
        for task in self.tasks:
            if task.size <= room and (self._options.pads_inputs or task.row_shapes == shapes):
                batch.append(task)
                room -= task.size
            else:
                left.append(task)
        self.tasks = left
        self.size = sum(task.size for task in left)
        return batch
