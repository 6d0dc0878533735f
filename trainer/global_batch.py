"""The batch of a step whose requests are spread over replicas.

Each replica takes the loss of its own requests such that the mean over the replicas is the loss of the global batch: a
mean over requests divides by the mean number of requests of a replica. So gradients are averaged too, and what no
request enters, like the terms of learned weights alone, needs no care. Every replica holds equally many requests; what
is missing at the end of an epoch is filled up with requests without candidates, which count nowhere.

Without a strategy there is one replica, and none of this does anything.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from trainer.uniform import stateless_uniform

Batch = Mapping[str, tf.Tensor]

PLACE, NUM_REQUESTS = "place", "num_requests"
"""Keys that `own_requests` adds to a batch: int32 `[batch_size]` and a scalar, the fields of `Places`."""


class Places(NamedTuple):
    """Where the requests of a replica stand in the global batch, for draws that do not depend on the replicas.

    Args:
      place: int32 `[batch_size]`, from 0; 0 also for a request that only fills up.
      num_requests: int32 scalar, requests of the global batch.
    """

    place: tf.Tensor
    num_requests: tf.Tensor


def num_replicas() -> int:
    """Returns how many replicas take this step."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def mean_over_replicas(values: Any) -> Any:
    """Averages tensors, or a nest of them, over the replicas."""
    if num_replicas() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


def gather_requests(values: tf.Tensor) -> tf.Tensor:
    """Returns `[num_replicas * batch_size, ...]`, what each replica has of its requests, in the order of the batch."""
    if num_replicas() == 1:
        return values
    gathered = tf.distribute.get_replica_context().all_gather(values, axis=0)
    return tf.reshape(gathered, tf.shape(gathered))  # changes nothing but a sparse gradient, which cannot be sent back


def own_requests(batch: Batch) -> dict[str, tf.Tensor]:
    """Returns the part of a global batch that this replica takes: neighbours, as many as every other replica."""
    context = tf.distribute.get_replica_context()
    num_requests = tf.shape(next(iter(batch.values())))[0]
    size = -(-num_requests // context.num_replicas_in_sync)
    row = context.replica_id_in_sync_group * size + tf.range(size)
    is_there = row < num_requests
    place = tf.where(is_there, row, 0)

    def take(values: tf.Tensor) -> tf.Tensor:
        mask = tf.reshape(is_there, [-1] + [1] * (values.shape.rank - 1))
        return tf.where(mask, tf.gather(values, place), tf.zeros([], values.dtype))

    return {name: take(values) for name, values in batch.items()} | {PLACE: place, NUM_REQUESTS: num_requests}


def places(batch: Batch) -> Places | None:
    """Returns the places of the requests of `own_requests`; `None` for a batch that is whole."""
    return Places(batch[PLACE], batch[NUM_REQUESTS]) if PLACE in batch else None


def draw_for_requests(batch: Batch, size: int, seed: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Draws `[batch_size, size]` numbers from `[0, 1)`, which depend on a request's place in the global batch."""
    part = places(batch)
    num_requests = tf.shape(next(iter(batch.values())))[0] if part is None else part.num_requests
    draws = stateless_uniform(tf.stack([num_requests, size]), seed, dtype)
    return draws if part is None else tf.gather(draws, part.place)
