"""A request with its answer, as the request log writes it."""

import dataclasses
import random

import tensorflow as tf

from serving import signatures

NUM_STAGES = "num_stages"
RELEASE = "release"
FALLBACK = "fallback"


@dataclasses.dataclass(frozen=True)
class ServedRequest:
    """What a client knows of a request that it answered.

    Args:
      example: the request's features and exclusions.
      kept: item ids that each stage kept, best first; none where one call answered.
      delivered: item ids that the caller received, best first.
      num_stages: stages of the cascade.
      release: version of the models.
      fallback: a later stage did not answer in time.
    """

    example: tf.train.Example
    kept: tuple[tuple[bytes, ...], ...]
    delivered: tuple[bytes, ...]
    num_stages: int
    release: int
    fallback: bool

    @property
    def request_id(self) -> bytes:
        return self._scalar(signatures.REQUEST_ID).bytes_list.value[0]

    @property
    def request_time_ms(self) -> int:
        return self._scalar(signatures.REQUEST_TIME_MS).int64_list.value[0]

    def logged(self, passed_over: int) -> tf.train.Example:
        """Returns the request example of docs/reference.md with its candidates.

        The delivered items have the stage `num_stages`, an item that was not passed on the index of the last stage
        that kept it; ranks are those in that stage's order.

        Args:
          passed_over: items drawn, for each stage, of those that it kept and that went no further; the request id
            decides which.
        """
        candidates = [(item_id, self.num_stages, rank) for rank, item_id in enumerate(self.delivered, start=1)]
        further = set(self.delivered)
        draw = random.Random(self.request_id)
        for stage, kept in reversed(list(enumerate(self.kept))):
            left = [(item_id, stage, rank) for rank, item_id in enumerate(kept, start=1) if item_id not in further]
            candidates += [left[i] for i in sorted(draw.sample(range(len(left)), min(passed_over, len(left))))]
            further.update(kept)
        example = tf.train.Example()
        example.CopyFrom(self.example)
        feature = example.features.feature
        if candidates:
            item_ids, stages, ranks = zip(*candidates, strict=True)
            feature[signatures.CANDIDATE_ITEM_ID].bytes_list.value.extend(item_ids)
            feature[signatures.CANDIDATE_STAGE].int64_list.value.extend(stages)
            feature[signatures.CANDIDATE_RANK].int64_list.value.extend(ranks)
        feature[NUM_STAGES].int64_list.value.append(self.num_stages)
        feature[RELEASE].int64_list.value.append(self.release)
        feature[FALLBACK].int64_list.value.append(int(self.fallback))
        return example

    def _scalar(self, name: str) -> tf.train.Feature:
        return self.example.features.feature[name]
