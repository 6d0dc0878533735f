import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.server.metrics import Metrics
from serving.server.models.loader import Loader

RAW = ["activity", "age", "device_id", "history_grade", "history_item_id", "request_time_ms", "user_id"]
SEARCH = sorted([*RAW, "exclude_item_id", "k"])
SCORE = sorted([*RAW, "candidate_item_id"])
EXAMPLES = ["examples", "k"]
REQUESTS = {
    "retrieval": {
        "retrieve": SEARCH,
        "retrieve_examples": EXAMPLES,
        "score": SCORE,
        "score_examples": ["examples"],
        "serving_default": SEARCH,
    },
    "ranking": {"score": SCORE, "score_examples": ["examples"], "serving_default": SCORE},
    "cascade": {"recommend": SEARCH, "recommend_examples": EXAMPLES, "serving_default": SEARCH},
}


@pytest.mark.parametrize("model", REQUESTS)
def test_every_signature_has_a_request(candidate_dir, model):
    file = candidate_dir / "models" / model / "assets.extra" / "tf_serving_warmup_requests"
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record)
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    ]
    requests = [log.predict_log.request for log in logs]
    assert {r.model_spec.name for r in requests} == {model}
    assert {r.model_spec.signature_name: sorted(r.inputs) for r in requests} == REQUESTS[model]


@pytest.mark.parametrize("model", REQUESTS)
def test_a_server_makes_them(candidate_dir, model):
    metrics = Metrics()
    path = str(candidate_dir / "models" / model)
    Loader(metrics=metrics)(model, 1, path)
    assert f'model_warmup_latency_count{{model_path="{path}",status="OK"}} 1' in metrics.page()
    runs = len(REQUESTS[model])
    assert f'runtime_latency_count{{model_name="{model}",API="Predict",runtime="TF1"}} {runs}' in metrics.page()
