"""Runs a model's own requests before it is served, so that the first caller does not wait for what is lazy."""

import logging
import time

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.server.calls.classify import classify
from serving.server.calls.multi_inference import multi_inference
from serving.server.calls.predict import predict
from serving.server.calls.regress import regress
from serving.server.calls.servable import Servable
from serving.server.errors import ServingError, from_exception, invalid_argument, unimplemented
from serving.server.metrics import WARMUP_LATENCY, Metrics

WARMUP_FILE = ("assets.extra", "tf_serving_warmup_requests")
MAX_RECORDS = 1000

_LOGGER = logging.getLogger(__name__)


def warm_up(servable: Servable, path: str, iterations: int, metrics: Metrics) -> None:
    """Replays `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLogs, if there is one.

    Args:
      servable: the version, not served yet.
      path: its folder.
      iterations: how often each request runs.
      metrics: where the time is written down.

    Raises:
      ServingError: a record is damaged, too much, or its request fails.
    """
    file = tf.io.gfile.join(path, *WARMUP_FILE)
    if not tf.io.gfile.exists(file):
        return
    start_s = time.perf_counter()
    status = "OK"
    try:
        records = _replay(servable, file, iterations)
    except Exception as error:
        status = str(from_exception(error))
        raise
    finally:
        metrics.observe(WARMUP_LATENCY, (time.perf_counter() - start_s) * 1e6, path, status)
    _LOGGER.info("Finished reading warmup data for model at %s. Number of warmup records read: %d", file, records)


def _replay(servable: Servable, file: str, iterations: int) -> int:
    number = 0
    try:
        for number, record in enumerate(tf.data.TFRecordDataset(file).as_numpy_iterator(), start=1):
            if number > MAX_RECORDS:
                raise invalid_argument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}")
            try:
                log = prediction_log_pb2.PredictionLog.FromString(record)
            except DecodeError:
                raise invalid_argument(f"Failed to parse warmup record: {record!r} from {file}") from None
            for _ in range(iterations):
                _run(servable, log)
    except tf.errors.DataLossError as error:
        message = f"{from_exception(error).message}. Please verify your warmup data is in TFRecord format."
        raise ServingError(grpc.StatusCode.DATA_LOSS, message) from None
    return number


def _run(servable: Servable, log: prediction_log_pb2.PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        predict(servable, log.predict_log.request)
    elif kind == "classify_log":
        classify(servable, log.classify_log.request)
    elif kind == "regress_log":
        regress(servable, log.regress_log.request)
    elif kind == "multi_inference_log":
        multi_inference(servable, log.multi_inference_log.request)
    elif kind == "session_run_log":
        raise unimplemented("Unsupported log_type for warmup: session_run_log")
