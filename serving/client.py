"""The client of a recommender cascade behind a model server."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from serving import signatures
from serving.client_errors import InvalidRequestError, ReleaseNotFoundError
from serving.model_client import ModelClient, Prediction
from serving.release.manifest import Stage
from serving.request_example import RequestFeatures, parse_example, with_candidates, with_exclusions

Request = Mapping[str, Any] | bytes
"""Feature values by name, or a serialized request example."""


@dataclasses.dataclass(frozen=True)
class Recommendations:
    """The answer to one request.

    Args:
      item_ids: best first; fewer than asked for when the last stage passes on fewer.
      scores: of the last stage, one for each item.
      release: version of the models that answered.
    """

    item_ids: list[str]
    scores: list[float]
    release: int


class RecommenderClient:
    """Asks the stages of a cascade one after the other, all of the same release.

    Retrieval answers with its newest version, and every later stage is asked for that very version. When it is
    gone, or not there yet, the call starts over once, with the newest release that all stages have.

    Args:
      target: address of the model server, `"host:port"`.
      stages: the cascade in funnel order, as the manifest of the release has it.
      timeout_s: of a whole call, all its hops included.
      credentials: for TLS; `None` talks plain text.

    Example:
      with RecommenderClient("127.0.0.1:8500", stages=manifest.stages) as client:
          print(client.recommend({"user_id": "u1", "history_item_id": ["i3", "i7"]}, k=10).item_ids)
    """

    def __init__(
        self,
        target: str,
        *,
        stages: Sequence[Stage],
        timeout_s: float = 5.0,
        credentials: grpc.ChannelCredentials | None = None,
    ):
        if not stages:
            raise ValueError("`stages` must hold at least one stage. Received: none")
        if timeout_s <= 0:
            raise ValueError(f"`timeout_s` must be positive. Received: timeout_s={timeout_s}")
        self._models = ModelClient(target, credentials)
        self._stages = tuple(stages)
        self._timeout_s = timeout_s
        self._features: dict[str, RequestFeatures] = {}

    def recommend(self, request: Request, k: int = 10, exclude: Sequence[str] = ()) -> Recommendations:
        """Recommends items for one request.

        Args:
          request: feature values by name, where anything may be left out, or a serialized request example.
          k: number of items wanted.
          exclude: items that must not be recommended, beside those in the example.

        Raises:
          RecommendError: no recommendations could be had.
        """
        return self.recommend_batch([request], k, [exclude])[0]

    def recommend_batch(
        self, requests: Sequence[Request], k: int = 10, exclude: Sequence[Sequence[str]] = ()
    ) -> list[Recommendations]:
        """Recommends items for several requests with one call per stage.

        Args:
          requests: as in `recommend`.
          k: number of items wanted for each.
          exclude: items that must not be recommended, one sequence for each request; none by default.

        Raises:
          RecommendError: no recommendations could be had.
        """
        if not requests:
            return []
        deadline_s = time.monotonic() + self._timeout_s
        retrieval = self._stages[0].name
        examples = self._examples(retrieval, signatures.RETRIEVE, requests, k, exclude, deadline_s)
        try:
            return self._ask_stages(examples, k, None, deadline_s)
        except ReleaseNotFoundError:
            release = self._newest_complete_release(deadline_s)
            return self._ask_stages(examples, k, release, deadline_s)
        except InvalidRequestError:
            self._features.clear()  # a new release may type its features differently
            raise

    def recommend_one_call(self, request: Request, k: int = 10, exclude: Sequence[str] = ()) -> Recommendations:
        """Recommends items for one request with a single call of the `cascade` model.

        Args and errors are those of `recommend`.
        """
        deadline_s = time.monotonic() + self._timeout_s
        examples = self._examples(signatures.CASCADE, signatures.RECOMMEND, [request], k, [exclude], deadline_s)
        answer = self._search(signatures.CASCADE, signatures.RECOMMEND_EXAMPLES, examples, k, None, deadline_s)
        item_ids, scores = _found(answer, 0)
        return _recommendations(item_ids, scores, k, answer.version)

    def close(self) -> None:
        """Closes the channel."""
        self._models.close()

    def __enter__(self) -> "RecommenderClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ask_stages(
        self, examples: Sequence[tf.train.Example], k: int, release: int | None, deadline_s: float
    ) -> list[Recommendations]:
        first, *later = self._stages
        answer = self._search(first.name, signatures.RETRIEVE_EXAMPLES, examples, first.capacity, release, deadline_s)
        release = answer.version
        found = [_found(answer, row) for row in range(len(examples))]
        for stage in later:
            if not any(item_ids.size for item_ids, _ in found):
                break
            candidates = [with_candidates(e, ids.tolist()) for e, (ids, _) in zip(examples, found, strict=True)]
            inputs = {signatures.EXAMPLES: _serialized(candidates)}
            answer = self._models.predict(
                stage.name, signatures.SCORE_EXAMPLES, inputs, version=release, deadline_s=deadline_s
            )
            scores = answer.outputs[signatures.SCORES]
            found = [_best(ids, scores[row], stage.capacity) for row, (ids, _) in enumerate(found)]
        return [_recommendations(item_ids, scores, k, release) for item_ids, scores in found]

    def _search(
        self,
        model: str,
        signature: str,
        examples: Sequence[tf.train.Example],
        size: int,
        release: int | None,
        deadline_s: float,
    ) -> Prediction:
        sizes = np.full(len(examples), size, np.int32)
        inputs = {signatures.EXAMPLES: _serialized(examples), signatures.K: sizes}
        return self._models.predict(model, signature, inputs, version=release, deadline_s=deadline_s)

    def _newest_complete_release(self, deadline_s: float) -> int:
        versions = [self._models.available_versions(stage.name, deadline_s=deadline_s) for stage in self._stages]
        complete = set.intersection(*versions)
        if not complete:
            names = [stage.name for stage in self._stages]
            raise ReleaseNotFoundError(f"No release at {self._models.target} has all of {names}")
        return max(complete)

    def _examples(
        self,
        model: str,
        signature: str,
        requests: Sequence[Request],
        k: int,
        exclude: Sequence[Sequence[str]],
        deadline_s: float,
    ) -> list[tf.train.Example]:
        if k < 1:
            raise InvalidRequestError(f"`k` must be at least 1. Received: k={k}")
        exclude = exclude or [()] * len(requests)
        if len(exclude) != len(requests):
            raise InvalidRequestError(
                f"`exclude` must hold one sequence for each of {len(requests)} requests. Received: {len(exclude)}"
            )
        examples = [
            parse_example(request)
            if isinstance(request, bytes)
            else self._features_for(request, model, signature, deadline_s).example(request)
            for request in requests
        ]
        return [with_exclusions(example, items) for example, items in zip(examples, exclude, strict=True)]

    def _features_for(
        self, request: Mapping[str, Any], model: str, signature: str, deadline_s: float
    ) -> RequestFeatures:
        """What the model takes, asked again when the request has more: a new release may take it."""
        features = self._features.get(model)
        if features is None or features.unknown(request):
            definitions = self._models.signatures(model, deadline_s=deadline_s)
            if signature not in definitions:
                raise InvalidRequestError(
                    f"Model {model!r} has no signature {signature!r}. It has: {sorted(definitions)}"
                )
            features = self._features[model] = RequestFeatures(definitions[signature])
        return features


def _serialized(examples: Sequence[tf.train.Example]) -> np.ndarray:
    return np.array([example.SerializeToString() for example in examples], object)


def _found(answer: Prediction, row: int) -> tuple[np.ndarray, np.ndarray]:
    """The items of one request without the padding."""
    item_ids, scores = answer.outputs[signatures.ITEM_ID][row], answer.outputs[signatures.SCORES][row]
    found = item_ids != b""
    return item_ids[found], scores[found]


def _best(item_ids: np.ndarray, scores: np.ndarray, capacity: int) -> tuple[np.ndarray, np.ndarray]:
    """What a stage passes on of one request's items: the best, ties in the order they came in."""
    scores = scores[: item_ids.size]
    order = np.argsort(-scores, kind="stable")[:capacity]
    order = order[scores[order] > signatures.LOWEST_SCORE]
    return item_ids[order], scores[order]


def _recommendations(item_ids: np.ndarray, scores: np.ndarray, k: int, release: int) -> Recommendations:
    return Recommendations([item_id.decode() for item_id in item_ids[:k]], scores[:k].tolist(), release)
