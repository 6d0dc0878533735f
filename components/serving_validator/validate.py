"""Compares what a server answers with the SavedModels called in Python and with the Keras model."""

import dataclasses
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.serving_validator.keras_reference import KerasReference
from components.serving_validator.logged_requests import LoggedRequest
from components.serving_validator.raw_inputs import raw_inputs
from serving import signatures
from serving.client.call import predict
from serving.client.model_client import ModelClient

Answer = dict[str, np.ndarray]

_RAW = {
    signatures.RETRIEVE_EXAMPLES: signatures.RETRIEVE,
    signatures.SCORE_EXAMPLES: signatures.SCORE,
    signatures.RECOMMEND_EXAMPLES: signatures.RECOMMEND,
}
"""The raw-tensor signature beside each signature that takes examples."""


@dataclasses.dataclass(frozen=True)
class ServingValidation:
    """What a validation found.

    Args:
      num_requests: requests sent to every signature.
      tolerance: largest difference allowed, relative to `max(1, |score|)`.
      differences: largest difference found, by comparison such as `"grpc-python/ranking/score_examples"`.
      latencies_ms: median and maximum of a call over gRPC, by `"model/signature"`.
      reasons: why the candidate must not be pushed; empty when it may.
    """

    num_requests: int
    tolerance: float
    differences: dict[str, float]
    latencies_ms: dict[str, dict[str, float]]
    reasons: tuple[str, ...]


class Validator:
    """Sends logged requests to a server and compares.

    Args:
      client: of the server.
      models_dir: holds the SavedModels that it serves.
      reference: the Keras model with the same requests.
      k: items asked for.
      tolerance: largest difference of two scores, relative to `max(1, |score|)`.
      timeout_s: limit for one call.
    """

    def __init__(
        self,
        client: ModelClient,
        models_dir: Path,
        reference: KerasReference,
        *,
        k: int,
        tolerance: float,
        timeout_s: float,
    ):
        self._client = client
        self._reference = reference
        self._k = k
        self._tolerance = tolerance
        self._timeout_s = timeout_s
        names = (*reference.stages, signatures.CASCADE)
        self._models = {name: tf.saved_model.load(str(models_dir / name)) for name in names}
        self._differences: dict[str, float] = defaultdict(float)
        self._durations_ms: dict[str, list[float]] = defaultdict(list)

    def validate(self, requests: Sequence[LoggedRequest]) -> ServingValidation:
        """Compares every signature for every request.

        Raises:
          RecommendError: the server did not answer a call.
        """
        for index, request in enumerate(requests):
            self._check_retrieval(index, request)
            for stage in self._reference.stages:
                self._check_scores(stage, index, request)
            self._check_cascade(index, request)
        reasons = tuple(
            f"{name} differs by {difference:.3g}, allowed are {self._tolerance:g}"
            for name, difference in self._differences.items()
            if not difference <= self._tolerance
        )
        latencies_ms = {
            # The first call builds the graph's kernels.
            name: {"median": float(np.median(durations[1:] or durations)), "max": max(durations[1:] or durations)}
            for name, durations in self._durations_ms.items()
        }
        return ServingValidation(len(requests), self._tolerance, dict(self._differences), latencies_ms, reasons)

    def _check_retrieval(self, index: int, request: LoggedRequest) -> None:
        name = f"{signatures.RETRIEVAL}/{signatures.RETRIEVE_EXAMPLES}"
        item_ids, scores = self._found(signatures.RETRIEVAL, signatures.RETRIEVE_EXAMPLES, request)
        self._note(f"grpc-keras/{name}", scores, self._reference.score(signatures.RETRIEVAL, index, item_ids))
        if self._reference.index_is_exact:
            best = self._reference.best_retrieval_scores(index, self._k, request.excluded_ids)
            self._note(f"grpc-keras/{name}/best", scores, best)

    def _check_scores(self, stage: str, index: int, request: LoggedRequest) -> None:
        scores = self._ask(stage, signatures.SCORE_EXAMPLES, request)[signatures.SCORES][0]
        expected = self._reference.score(stage, index, request.candidate_ids)
        self._note(f"grpc-keras/{stage}/{signatures.SCORE_EXAMPLES}", scores, expected)

    def _check_cascade(self, index: int, request: LoggedRequest) -> None:
        name = f"{signatures.CASCADE}/{signatures.RECOMMEND_EXAMPLES}"
        item_ids, scores = self._found(signatures.CASCADE, signatures.RECOMMEND_EXAMPLES, request)
        self._note(f"grpc-keras/{name}", scores, self._reference.score(self._reference.stages[-1], index, item_ids))

    def _found(self, model: str, signature: str, request: LoggedRequest) -> tuple[list[bytes], np.ndarray]:
        answer = self._ask(model, signature, request)
        found = answer[signatures.ITEM_ID][0] != b""
        return answer[signatures.ITEM_ID][0][found].tolist(), answer[signatures.SCORES][0][found]

    def _ask(self, model: str, signature: str, request: LoggedRequest) -> Answer:
        """Asks with an example over gRPC and in Python, and with raw tensors; returns the first after comparing."""
        inputs = {signatures.EXAMPLES: np.array([request.example], object)}
        if signature != signatures.SCORE_EXAMPLES:
            inputs[signatures.K] = np.array([self._k], np.int32)
        served = self._call(model, signature, inputs)
        function = self._models[model].signatures[signature]
        called = function(**{name: tf.constant(value) for name, value in inputs.items()})
        name = f"grpc-python/{model}/{signature}"
        self._note(name, served[signatures.SCORES], called[signatures.SCORES].numpy())

        raw_signature = _RAW[signature]
        _, specs = self._models[model].signatures[raw_signature].structured_input_signature
        specs = {name: spec for name, spec in specs.items() if name != signatures.K}
        raw = raw_inputs(request.example, specs, self._reference.missing_values)
        if signatures.K in inputs:
            raw[signatures.K] = inputs[signatures.K]
        answer = self._call(model, raw_signature, raw)
        self._note(f"raw-examples/{model}/{raw_signature}", answer[signatures.SCORES], served[signatures.SCORES])
        return served

    def _call(self, model: str, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        start_s = time.monotonic()
        answer = self._client.make(predict(model, signature, inputs, end_s=start_s + self._timeout_s)).outputs
        self._durations_ms[f"{model}/{signature}"].append(1e3 * (time.monotonic() - start_s))
        return answer

    def _note(self, name: str, scores: np.ndarray, expected: np.ndarray) -> None:
        self._differences[name] = max(self._differences[name], difference(scores, expected))


def difference(scores: np.ndarray, expected: np.ndarray) -> float:
    """Returns the largest `|score - expected| / max(1, |expected|)`; infinity for other shapes or a NaN."""
    if scores.shape != expected.shape:
        return float("inf")
    if not scores.size:
        return 0.0
    wide, expected = scores.astype(np.float64), expected.astype(np.float64)
    largest = np.max(np.abs(wide - expected) / np.maximum(1.0, np.abs(expected)))
    return float("inf") if np.isnan(largest) else float(largest)
