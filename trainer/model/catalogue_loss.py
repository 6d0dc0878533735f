"""What the stages learn from the catalogue beyond the logged lists."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from trainer.config.losses import CatalogueLossConfig
from trainer.data.request_batch import CANDIDATE_ITEM, HISTORY_HIDDEN, HISTORY_ITEM
from trainer.global_batch import Batch, draw_for_requests, gather_requests
from trainer.losses.catalogue_sampler import CatalogueSampler
from trainer.losses.catalogue_softmax import catalogue_softmax_loss
from trainer.losses.sampled_softmax import sampled_softmax_loss
from trainer.model.towers.tower import Tower

_NOTHING = 1e30  # log count of what only fills up: divided by it, nothing is left of a score


class Negatives(NamedTuple):
    """Catalogue items drawn as negatives.

    Args:
      item: int32 `[num_negatives]` for all requests, or `[batch_size, num_negatives]`; catalogue rows.
      log_count: of the same shape, log of how often an item is expected among them.
      positive_log_count: float32 `[batch_size, list_size]`, the same of the candidates of the lists.
    """

    item: tf.Tensor
    log_count: tf.Tensor
    positive_log_count: tf.Tensor


class CatalogueLoss:
    """A softmax for each stage, whose negatives are what the stage meets when it serves.

    Retrieval learns against all items of the catalogue, or a sample of it and the positives of the other requests,
    shared by the batch. Later stages learn against items that are drawn from those by their retrieval scores, for each
    request apart. All draws are corrected for, so every stage learns how likely an item is among the whole catalogue.

    Args:
      config: the settings.
      sampler: draws the shared negatives.
      seed: of the draws.
      draws_by_place: whether a request's own draws follow from its place in the global batch alone, so that they are
        the same over any number of replicas, and with XLA. Otherwise they are made by a quicker kernel.
      pads_negatives: whether the batch's own negatives are as many in each step, as XLA asks. That takes `list_size`
        for each request, of which those that are no positives count nothing.
    """

    def __init__(
        self,
        config: CatalogueLossConfig,
        sampler: CatalogueSampler,
        seed: int,
        *,
        draws_by_place: bool = False,
        pads_negatives: bool = False,
    ) -> None:
        self.config = config
        self.sampler = sampler
        self.seed = seed
        self._draws_by_place = draws_by_place
        self._pads_negatives = pads_negatives

    def __call__(
        self,
        batch: Batch,
        towers: Sequence[Tower],
        states: Sequence[Any],
        scores: Sequence[tf.Tensor],
        step: tf.Tensor,
        catalogue_scores: tf.Tensor | None = None,
    ) -> list[tf.Tensor]:
        """Returns the scalar loss of each stage in funnel order, of retrieval alone if none is drawn for the others.

        Args:
          batch: the training batch.
          towers: the stages' towers, retrieval first.
          states: what each tower's `encode_request` returned.
          scores: `[batch_size, list_size]` scores of the candidates by each stage.
          step: int64 scalar; each step draws anew.
          catalogue_scores: `[batch_size, num_items + 1]` retrieval scores of all catalogue rows, if
            `is_over_all_items`.
        """
        seed = tf.stack([tf.cast(self.seed, tf.int64), step])
        if catalogue_scores is not None:
            shared = self._all_items(batch)
            shared_scores = catalogue_scores[:, 1:]
            losses = [self._whole_softmax(batch, catalogue_scores)]
        else:
            shared = self._draw(batch, seed)
            shared_scores = tf.matmul(states[0], towers[0].item_vectors(shared.item), transpose_b=True)
            losses = [self._softmax(batch, scores[0], shared_scores, shared)]
        if self.config.num_retrieved_negatives > 0:
            retrieved, retrieved_scores = self._retrieve(batch, shared, shared_scores, scores[0], seed)
            for tower, state, stage_scores in zip(towers[1:], states[1:], scores[1:], strict=True):
                retrieved_scores = tower.score_after(state, retrieved.item, retrieved_scores)
                losses.append(self._softmax(batch, stage_scores, retrieved_scores, retrieved))
        return losses

    @property
    def is_over_all_items(self) -> bool:
        """Whether the term of retrieval is over every item and needs the scores of all."""
        return self.config.weight > 0 and self.config.num_sampled_negatives is None

    def _all_items(self, batch: Batch) -> Negatives:
        """Returns every item once."""
        item = tf.range(1, self.sampler.num_items + 1)
        return Negatives(item, tf.zeros_like(item, tf.float32), tf.zeros_like(batch[CANDIDATE_ITEM], tf.float32))

    def _whole_softmax(self, batch: Batch, catalogue_scores: tf.Tensor) -> tf.Tensor:
        """Returns the loss of retrieval over all items, whose positives may be hidden events too."""
        item, weight = batch[CANDIDATE_ITEM], positive_weight(self.config, batch)
        if self.config.hidden_event_weight > 0 and HISTORY_HIDDEN in batch:
            is_known = batch[HISTORY_HIDDEN] & (batch[HISTORY_ITEM] > 0)
            item = tf.concat([item, batch[HISTORY_ITEM]], axis=1)
            weight = tf.concat([weight, self.config.hidden_event_weight * tf.cast(is_known, tf.float32)], axis=1)
        return catalogue_softmax_loss(
            catalogue_scores, positive_item=item, positive_weight=weight, temperature=self.config.temperature
        )

    def _draw(self, batch: Batch, seed: tf.Tensor) -> Negatives:
        """Returns what all requests share: sampled items and, if their frequency is known, the batch's positives."""
        num_sampled = self.config.num_sampled_negatives or 0
        item = self.sampler.sample(num_sampled, seed)
        num_in_batch = tf.constant(0)
        if self.config.in_batch_negatives and self.sampler.knows_frequency:
            # The rows alone are gathered: every replica needs the vectors, and makes them with its own weights.
            in_batch = gather_requests(tf.where(positive_weight(self.config, batch) > 0, batch["candidate_item"], 0))
            num_in_batch = tf.math.count_nonzero(in_batch, dtype=tf.int32)
            in_batch = tf.reshape(in_batch, [-1]) if self._pads_negatives else tf.boolean_mask(in_batch, in_batch > 0)
            item = tf.concat([item, in_batch], axis=0)
        log_count = self.sampler.log_expected_count(item, num_sampled, num_in_batch)
        return Negatives(
            item,
            tf.where(item > 0, log_count, _NOTHING) if self._pads_negatives else log_count,
            self.sampler.log_expected_count(batch["candidate_item"], num_sampled, num_in_batch),
        )

    def _retrieve(
        self, batch: Batch, shared: Negatives, scores: tf.Tensor, list_scores: tf.Tensor, seed: tf.Tensor
    ) -> tuple[Negatives, tf.Tensor]:
        """Returns negatives of each request, drawn from the shared ones by the retrieval softmax, and their scores.

        The shared negatives stand for the catalogue once their counts are divided out, so an item of the catalogue is
        drawn about `n·exp(s) / Z` times, with `n` draws, its retrieval score `s` and `Z` the sum over the catalogue.
        """
        temperature = self.config.temperature
        scores, list_scores = (tf.stop_gradient(s / temperature) for s in (scores, list_scores))
        logits = scores - shared.log_count
        num_drawn = self.config.num_retrieved_negatives
        seed = tf.random.experimental.stateless_fold_in(seed, 1)  # the sampler has used up the seed's own randomness
        drawn = self._draw_by_logits(batch, logits, num_drawn, seed)
        log_scale = math.log(num_drawn) - tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
        drawn_scores = tf.gather(scores, drawn, batch_dims=1)
        negatives = Negatives(tf.gather(shared.item, drawn), drawn_scores + log_scale, list_scores + log_scale)
        return negatives, drawn_scores * temperature

    def _draw_by_logits(self, batch: Batch, logits: tf.Tensor, num_drawn: int, seed: tf.Tensor) -> tf.Tensor:
        """Returns int32 `[batch_size, num_drawn]` columns of `logits`, with replacement."""
        if not self._draws_by_place:
            return tf.random.stateless_categorical(logits, num_drawn, seed, dtype=tf.int32)
        cumulative = tf.cumsum(tf.cast(tf.nn.softmax(logits), tf.float64), axis=-1)
        draw = draw_for_requests(batch, num_drawn, seed, tf.float64) * cumulative[:, -1:]
        return tf.minimum(tf.searchsorted(cumulative, draw, side="right"), tf.shape(cumulative)[1] - 1)

    def _softmax(self, batch: Batch, scores: tf.Tensor, negative_scores: tf.Tensor, negatives: Negatives) -> tf.Tensor:
        return sampled_softmax_loss(
            scores,
            negative_scores,
            positive_item=batch["candidate_item"],
            candidate_item=negatives.item,
            positive_log_count=negatives.positive_log_count,
            candidate_log_count=negatives.log_count,
            positive_weight=positive_weight(self.config, batch),
            temperature=self.config.temperature,
        )


def positive_weight(config: CatalogueLossConfig, batch: Batch) -> tf.Tensor:
    """Returns float32 `[batch_size, list_size]`, the weight of each candidate as a positive of the catalogue."""
    weights = config.positive_weights
    if not weights:
        return tf.cast(batch["ground_truth"] & batch["where"], tf.float32)
    grade = tf.clip_by_value(tf.cast(batch["labels"], tf.int32), 0, len(weights) - 1)
    return tf.where(batch["where"], tf.gather(tf.constant(weights), grade), 0.0)
