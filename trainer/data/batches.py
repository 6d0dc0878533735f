"""The batches of a split, in an order that is known without running through it."""

import numpy as np
import tensorflow as tf

from trainer.config.trainer import OrderKind
from trainer.data.input import Requests
from trainer.data.request_batch import CANDIDATE_ITEM, REQUEST_DAY


class RequestBatches:
    """Batches of requests for training or evaluation.

    The order of an epoch is a permutation drawn from the seed and the epoch's number alone, so a run that stopped at
    a step goes on with that very step's requests.

    Args:
      requests: of `packed_requests` or `read_requests`.
      batch_size: requests per batch; the last batch of an epoch may be smaller.
      shuffle_seed: shuffles all requests anew for every epoch; `None` keeps their order.
      order: `"chronological"` shuffles within days and keeps the days in order.
    """

    def __init__(
        self,
        requests: Requests,
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
        order: OrderKind = "shuffled",
    ) -> None:
        self.num_requests = len(requests[CANDIDATE_ITEM])
        self.num_steps = -(-self.num_requests // batch_size)
        self._batch_size = batch_size
        self._shuffle_seed = shuffle_seed
        self._days = requests[REQUEST_DAY] if order == "chronological" else None
        self._columns = {name: values for name, values in requests.items() if name != REQUEST_DAY}

    @property
    def element_spec(self) -> dict[str, tf.TensorSpec]:
        """Shape and type of a batch, whose size is left open."""
        return {name: tf.TensorSpec([None, *values.shape[1:]], values.dtype) for name, values in self._columns.items()}

    def order(self, epoch: int) -> np.ndarray:
        """Returns int64 `[num_requests]`, the requests in the order of an epoch, which counts from 0."""
        if self._shuffle_seed is None:
            return np.arange(self.num_requests)
        order = np.random.default_rng([self._shuffle_seed, epoch]).permutation(self.num_requests)
        return order if self._days is None else order[np.argsort(self._days[order], kind="stable")]

    def indices(self, epoch: int, step: int) -> np.ndarray:
        """Returns the requests of one batch; step and epoch count from 0."""
        return self._batch(self.order(epoch), step)

    def epoch(self, epoch: int = 0, first_step: int = 0) -> tf.data.Dataset:
        """Returns the batches of an epoch from a step on, dictionaries of tensors `[batch_size, ...]`.

        They are gathered ahead of their steps, in a thread of their own.
        """
        order, spec = self.order(epoch), self.element_spec

        def gather(step: np.ndarray) -> list[np.ndarray]:
            index = self._batch(order, int(step))
            ascending = np.sort(index)  # the order in which a disk is read best
            place = np.searchsorted(ascending, index)
            return [values[ascending][place] for values in self._columns.values()]

        @tf.autograph.experimental.do_not_convert
        def batch(step: tf.Tensor) -> dict[str, tf.Tensor]:
            arrays = tf.numpy_function(gather, [step], [column.dtype for column in spec.values()], stateful=False)
            return {
                name: tf.ensure_shape(array, column.shape)
                for (name, column), array in zip(spec.items(), arrays, strict=True)
            }

        return tf.data.Dataset.range(first_step, self.num_steps).map(batch).prefetch(tf.data.AUTOTUNE)

    def _batch(self, order: np.ndarray, step: int) -> np.ndarray:
        return order[step * self._batch_size : (step + 1) * self._batch_size]
