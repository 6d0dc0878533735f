from serving.server.metrics import BATCH_QUEUING_LATENCY, REQUEST_COUNT, REQUEST_LATENCY, Metrics


def test_counters_by_label():
    metrics = Metrics()
    for status in ("OK", "OK", "NOT_FOUND"):
        metrics.count(REQUEST_COUNT, 'a "b"\\\n', status)
    lines = metrics.page().splitlines()
    assert "# TYPE :tensorflow:serving:request_count counter" in lines
    assert r':tensorflow:serving:request_count{model_name="a \"b\"\\\n",status="OK"} 2' in lines
    assert r':tensorflow:serving:request_count{model_name="a \"b\"\\\n",status="NOT_FOUND"} 1' in lines


def test_histograms_are_cumulative():
    metrics = Metrics()
    for latency_us in (9.0, 10.0, 17.9, 1e12):
        metrics.observe(REQUEST_LATENCY, latency_us, "half", "Predict", "GRPC")
    name, labels = ":tensorflow:serving:request_latency", 'model_name="half",API="Predict",entrypoint="GRPC"'
    lines = [line for line in metrics.page().splitlines() if line.startswith(name)]
    assert lines[:3] == [
        f'{name}_bucket{{{labels},le="10"}} 1',
        f'{name}_bucket{{{labels},le="18"}} 3',
        f'{name}_bucket{{{labels},le="32.4"}} 3',
    ]
    assert lines[-3:] == [
        f'{name}_bucket{{{labels},le="+Inf"}} 4',
        f"{name}_sum{{{labels}}} 1000000000036.9",
        f"{name}_count{{{labels}}} 4",
    ]
    assert len(lines) == 33 + 2


def test_a_histogram_without_labels():
    metrics = Metrics()
    metrics.observe(BATCH_QUEUING_LATENCY, 5.0)
    assert ':tensorflow:serving:batching_session:queuing_latency_bucket{le="10"} 1' in metrics.page()
