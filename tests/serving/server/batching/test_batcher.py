import concurrent.futures
import threading

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import PATIENCE_S

from serving.server.batching.batcher import Batcher
from serving.server.batching.parameters import BatchingOptions, read_batching_parameters
from serving.server.errors import ServingError
from serving.server.messages import TextMessageError
from serving.server.metrics import Metrics

CALLERS = concurrent.futures.ThreadPoolExecutor(64)


def double(inputs):
    """Doubles every row and tells how many there were."""
    return {"y": 2 * inputs["x"], "rows": np.full(len(inputs["x"]), len(inputs["x"]))}


def batched(run=double, metrics=None, **options):
    batcher = Batcher(BatchingOptions(**options), metrics or Metrics())
    return batcher.batched(run)


def together(call, *arrays):
    """Calls at the same time; returns the outputs in order."""
    return [f.result(timeout=PATIENCE_S) for f in [CALLERS.submit(call, {"x": np.float32(a)}) for a in arrays]]


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 6), min_size=1, max_size=30),
    max_batch_size=st.integers(6, 12),
    timeout_s=st.sampled_from([0.0, 0.003]),
    num_threads=st.integers(1, 3),
    is_padded=st.booleans(),
)
def test_every_caller_gets_its_own_rows(sizes, max_batch_size, timeout_s, num_threads, is_padded):
    call = batched(
        max_batch_size=max_batch_size,
        batch_timeout_s=timeout_s,
        num_batch_threads=num_threads,
        max_enqueued_batches=100,
        allowed_batch_sizes=[3, max_batch_size] if is_padded else [],
    )
    arrays = [np.arange(size) + 100 * n for n, size in enumerate(sizes)]
    for array, outputs in zip(arrays, together(call, *arrays), strict=True):
        np.testing.assert_array_equal(outputs["y"], 2 * array)
        if is_padded and len(array):
            assert set(outputs["rows"]) <= {3, max_batch_size}
        assert all(outputs["rows"] <= max_batch_size)


def test_a_full_batch_does_not_wait():
    call = batched(max_batch_size=4, batch_timeout_s=3600.0)
    assert [list(outputs["rows"]) for outputs in together(call, [1, 2], [3], [4])] == [[4, 4], [4], [4]]


def test_a_batch_runs_when_its_first_call_has_waited():
    call = batched(max_batch_size=100, batch_timeout_s=0.05)
    assert list(call({"x": np.float32([1])})["rows"]) == [1]


def test_rows_of_unequal_shape_run_apart():
    call = batched(lambda i: {"y": i["x"].sum(1)}, max_batch_size=4, batch_timeout_s=0.05)
    outputs = together(call, [[1, 2]], [[1, 2, 3]], [[3, 4]], [[4, 5, 6]])
    assert [list(o["y"]) for o in outputs] == [[3], [6], [7], [15]]


def test_rows_of_unequal_shape_are_padded_with_their_first_value_if_asked_for():
    call = batched(lambda i: {"y": i["x"]}, max_batch_size=2, batch_timeout_s=3600.0, pads_inputs=True)
    short, long = together(call, [[7, 2]], [[1, 2, 3]])
    assert (short["y"].tolist(), long["y"].tolist()) == ([[7, 2, 7]], [[1, 2, 3]])


def test_a_large_call_is_split_if_asked_for():
    call = batched(max_batch_size=10, max_execution_batch_size=4)
    outputs = call({"x": np.arange(10.0)})
    np.testing.assert_array_equal(outputs["y"], 2 * np.arange(10.0))
    assert max(outputs["rows"]) <= 4
    with pytest.raises(ServingError, match="Task size 11 is larger than maximum input batch size 10"):
        call({"x": np.arange(11.0)})


def test_a_full_queue_refuses():
    begun, may_end = threading.Semaphore(0), threading.Event()

    def slow(inputs):
        begun.release()
        may_end.wait()
        return double(inputs)

    call = batched(slow, max_batch_size=2, max_enqueued_batches=1, num_batch_threads=1)
    running = CALLERS.submit(call, {"x": np.float32([1])})
    assert begun.acquire(timeout=PATIENCE_S)
    waiting = [CALLERS.submit(call, {"x": np.float32([n])}) for n in (2, 3, 4)]  # there is room for two
    done, queued = concurrent.futures.wait(waiting, PATIENCE_S, concurrent.futures.FIRST_COMPLETED)
    may_end.set()
    (refused,) = done
    with pytest.raises(ServingError, match="queue to which this task was submitted is full") as caught:
        refused.result()
    assert caught.value.code == grpc.StatusCode.UNAVAILABLE
    assert [list(one.result(PATIENCE_S)["rows"]) for one in (running, *queued)] == [[1], [2], [2]]


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda inputs: {"y": np.float32(1)}, "Batched output tensor has 0 dimensions"),
        (lambda inputs: {"y": np.zeros(7)}, "0th dimension does not equal the sum"),
        (lambda inputs: 1 / 0, "division by zero"),
    ],
)
def test_a_run_that_fails_fails_for_every_caller_and_the_next_batch_runs(run, message):
    broken = threading.Event()
    broken.set()
    call = batched(lambda i: run(i) if broken.is_set() else double(i), max_batch_size=2, batch_timeout_s=3600.0)
    calls = [CALLERS.submit(call, {"x": np.float32([1])}) for _ in range(2)]
    for one in calls:
        with pytest.raises((ServingError, ZeroDivisionError), match=message):
            one.result(PATIENCE_S)
    broken.clear()
    assert [list(o["y"]) for o in together(call, [1], [2])] == [[2], [4]]


def test_batches_are_counted():
    metrics = Metrics()
    call = batched(metrics=metrics, max_batch_size=4, batch_timeout_s=3600.0, allowed_batch_sizes=[4])
    together(call, [1], [2, 3], [4])
    page = metrics.page()
    assert ":tensorflow:serving:batching_session:queuing_latency_count{} 3" in page
    assert ":tensorflow:serving:batching_session:processed_batch_size_sum{} 4" in page
    assert ':tensorflow:serving:batching_session:padding_size_sum{execution_batch_size="4"} 0' in page


def test_reads_parameters(tmp_path):
    file = tmp_path / "batching.config"
    file.write_text(
        """
        max_batch_size { value: 32 } batch_timeout_micros { value: 2000 } max_enqueued_batches { value: 7 }
        num_batch_threads { value: 3 } thread_pool_name { value: "pool" } pad_variable_length_inputs: true
        enable_large_batch_splitting { value: true } max_execution_batch_size { value: 8 }
        allowed_batch_sizes: 4 allowed_batch_sizes: 8
        """
    )
    assert read_batching_parameters(file) == BatchingOptions(32, 0.002, 7, 3, [4, 8], True, 8)
    file.write_text("")
    assert read_batching_parameters(file) == BatchingOptions(allowed_batch_sizes=[])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 0 }", r"`max_batch_size` must be positive in .*\. Received: 0"),
        ("batch_timeout_micros { value: -1 }", r"`batch_timeout_micros` must not be negative in .*\. Received: -1"),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 2",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 2; expected 8",
        ),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 8 allowed_batch_sizes: 8",
            r"entries must be positive and rising in .*\. Received: \[8, 8\]",
        ),
        ("batch_size: 1", "Invalid protobuf file: '.*'. .*tensorflow.serving.BatchingParameters: 1:1"),
    ],
)
def test_parameters_that_cannot_be(tmp_path, text, message):
    file = tmp_path / "batching.config"
    file.write_text(text)
    with pytest.raises(TextMessageError, match=message):
        read_batching_parameters(file)
