"""What a client asks for a batch of requests, in which order and with which deadlines, without any input or output."""

import dataclasses
import math
import numbers
import time
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from serving import signatures
from serving.client.call import Prediction, Steps, available_versions, predict, signatures_of
from serving.client.config import ClientConfig
from serving.client.errors import (
    InvalidRequestError,
    RecommendTimeoutError,
    ReleaseNotFoundError,
    ServerUnavailableError,
)
from serving.client.funnel import Funnel
from serving.client.recommendations import Recommendations
from serving.client.request import Request
from serving.client.request_features import RequestFeatures, with_candidates, with_search
from serving.client.retry import with_retries
from serving.request_log import RequestLog, ServedRequest

_LONGEST_RESERVE_S = 0.01
_RESERVED_SHARE = 0.05


@dataclasses.dataclass(frozen=True)
class _Batch:
    """Requests on their way: as examples, without and with what is asked of the search, and the items wanted."""

    requests: Sequence[Request]
    examples: list[tf.train.Example]
    searching: list[tf.train.Example]
    sizes: list[int]
    end_s: float
    reserve_s: float


class Conversation:
    """A client's side of the talk with a model server.

    Args:
      target: address of the server, for messages.
      config: settings.
      request_log: takes what was answered.
    """

    def __init__(self, target: str, config: ClientConfig, request_log: RequestLog | None):
        self._target = target
        self._config = config
        self._request_log = request_log
        self._features: RequestFeatures | None = None
        self._features_release = 0

    def recommend(self, requests: Sequence[Request], deadline_s: float | None) -> Steps[list[Recommendations]]:
        """Steps to one answer for each request.

        Args:
          requests: any number of them.
          deadline_s: seconds that all of it may take; `None` takes the configured ones.

        Raises:
          RecommendError: no recommendations could be had.
        """
        if not requests:
            return []
        budget_s = self._config.deadline_s if deadline_s is None else deadline_s
        if not (isinstance(budget_s, numbers.Real) and 0 < budget_s < math.inf):
            raise InvalidRequestError(f"`deadline_s` must be positive. Received: deadline_s={deadline_s!r}")
        end_s = time.monotonic() + budget_s
        examples = yield from self._examples(requests, end_s)
        sizes = [int(min(request.k, self._config.stages[-1].capacity)) for request in requests]
        searching = [with_search(e, request) for e, request in zip(examples, requests, strict=True)]
        # A fallback is due before the deadline, so the stages have a little less than all of it.
        reserve_s = min(_LONGEST_RESERVE_S, _RESERVED_SHARE * budget_s) if self._config.fallback else 0.0
        batch = _Batch(requests, examples, searching, sizes, end_s, reserve_s)
        try:
            funnel = yield from (self._one_call(batch) if self._config.one_call else self._pinned(batch))
        except InvalidRequestError:
            self._features = None  # a new release may type its features differently
            raise
        answers = [
            Recommendations(
                [item_id.decode() for item_id in item_ids[:size]],
                scores[:size].tolist(),
                funnel.release,
                funnel.fallback,
                request.request_id,
            )
            for request, item_ids, scores, size in zip(requests, funnel.item_ids, funnel.scores, sizes, strict=True)
        ]
        if self._request_log is not None:
            for row, example in enumerate(searching):
                self._request_log.record(self._served(example, funnel, row, sizes[row]))
        return answers

    def _examples(self, requests: Sequence[Request], end_s: float) -> Steps[list[tf.train.Example]]:
        """Asks what the model takes, once, and again when a request has more: a new release may take it."""
        if self._features is None or any(self._features.unknown(request) for request in requests):
            self._features = yield from self._learn_features(self._config.label, end_s)
        features = self._features
        return [features.example(request) for request in requests]

    def _learn_features(self, release: int | str | None, end_s: float) -> Steps[RequestFeatures]:
        model, signature = (
            (signatures.CASCADE, signatures.RECOMMEND)
            if self._config.one_call
            else (self._config.stages[0].name, signatures.RETRIEVE)
        )
        call = signatures_of(model, version=release, end_s=end_s)
        known, version = yield from with_retries(call, self._config.retry)
        if signature not in known:
            raise InvalidRequestError(f"Model {model!r} has no signature {signature!r}. It has: {sorted(known)}")
        self._features_release = version
        return RequestFeatures(known[signature])

    def _check_search(self, batch: _Batch, release: int) -> Steps[None]:
        """A release that came since may not know a filter, and would answer as if there were none."""
        asking = [request for request in batch.requests if request.filters or request.num_probed_leaves]
        if asking and release != self._features_release:
            features = self._features = yield from self._learn_features(release, batch.end_s)
            for request in asking:
                features.example(request)

    def _one_call(self, batch: _Batch) -> Steps[Funnel]:
        names = signatures.CASCADE, signatures.RECOMMEND_EXAMPLES
        answer = yield from self._search(*names, batch, batch.sizes, self._config.label, batch.end_s)
        yield from self._check_search(batch, answer.version)
        return Funnel.found(answer, len(batch.sizes))

    def _pinned(self, batch: _Batch) -> Steps[Funnel]:
        """Stage after stage, and once more from the start when the release of the first answer is gone."""
        try:
            return (yield from self._stage_after_stage(batch, self._config.label))
        except ReleaseNotFoundError:
            # A label stands for another release by then.
            release = self._config.label or (yield from self._newest_complete_release(batch.end_s))
            return (yield from self._stage_after_stage(batch, release))

    def _stage_after_stage(self, batch: _Batch, release: int | str | None) -> Steps[Funnel]:
        first, *later = self._config.stages
        wanted = [first.capacity if size else 0 for size in batch.sizes]
        hop_end_s = self._hop_end_s(batch.end_s, is_last=not later)
        answer = yield from self._search(first.name, signatures.RETRIEVE_EXAMPLES, batch, wanted, release, hop_end_s)
        yield from self._check_search(batch, answer.version)
        funnel = Funnel.found(answer, len(wanted))
        for stage in later:
            if not any(item_ids.size for item_ids in funnel.item_ids):
                break
            candidates = map(with_candidates, batch.examples, funnel.item_ids)
            hop_end_s = self._hop_end_s(batch.end_s - batch.reserve_s, is_last=stage is later[-1])
            inputs = {signatures.EXAMPLES: _serialized(candidates)}
            call = predict(stage.name, signatures.SCORE_EXAMPLES, inputs, version=funnel.release, end_s=hop_end_s)
            try:
                answer = yield from with_retries(call, self._config.retry)
            except (RecommendTimeoutError, ServerUnavailableError):
                if not self._config.fallback:
                    raise
                return dataclasses.replace(funnel, fallback=True)
            funnel = funnel.scored(answer, stage.capacity)
        return funnel

    def _hop_end_s(self, end_s: float, *, is_last: bool) -> float:
        now_s = time.monotonic()
        return end_s if is_last else now_s + self._config.hop_share * (end_s - now_s)

    def _search(
        self, model: str, signature: str, batch: _Batch, sizes: list[int], release: int | str | None, end_s: float
    ) -> Steps[Prediction]:
        inputs = {signatures.EXAMPLES: _serialized(batch.searching), signatures.K: np.array(sizes, np.int32)}
        return with_retries(predict(model, signature, inputs, version=release, end_s=end_s), self._config.retry)

    def _newest_complete_release(self, end_s: float) -> Steps[int]:
        names = [stage.name for stage in self._config.stages]
        complete: set[int] | None = None
        for name in names:
            versions = yield from with_retries(available_versions(name, end_s=end_s), self._config.retry)
            complete = versions if complete is None else complete & versions
        if not complete:
            raise ReleaseNotFoundError(f"No release at {self._target} has all of {names}")
        return max(complete)

    def _served(self, example: tf.train.Example, funnel: Funnel, row: int, size: int) -> ServedRequest:
        kept = () if self._config.one_call else tuple(tuple(item_ids[row].tolist()) for item_ids in funnel.kept)
        return ServedRequest(
            example=example,
            kept=kept,
            delivered=tuple(funnel.item_ids[row][:size].tolist()),
            num_stages=len(self._config.stages),
            release=funnel.release,
            fallback=funnel.fallback,
        )


def _serialized(examples: Iterable[tf.train.Example]) -> np.ndarray:
    return np.array([example.SerializeToString() for example in examples], object)
