"""The processes of a training run, which go in step."""

import json
from collections.abc import Sequence

import numpy as np
import tensorflow as tf


class Workers:
    """All processes of a run. The chief alone reads and writes files; what it knows, it tells the others.

    Every process must make the same calls in the same order. With one process a call returns what it is given.

    Args:
      strategy: of the run.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        resolver = strategy.cluster_resolver
        cluster = resolver.cluster_spec().as_dict() if resolver is not None else {}
        self.are_several = sum(len(cluster.get(kind, ())) for kind in ("chief", "worker")) > 1
        first = ("chief" if "chief" in cluster else "worker", 0)
        self.is_chief = not self.are_several or (resolver.task_type, resolver.task_id) == first

    def agree(self, flag: bool) -> bool:
        """Returns the chief's flag."""
        return bool(self._tell([np.array(flag, np.int32)])[0]) if self.are_several else flag

    def tell_text(self, text: str) -> str:
        """Returns the chief's text."""
        if not self.are_several:
            return text
        encoded = np.frombuffer(text.encode() if self.is_chief else b"", np.uint8).astype(np.int32)
        (size,) = self._tell([np.array(encoded.size, np.int32)])
        (told,) = self._tell([encoded if self.is_chief else np.zeros([int(size)], np.int32)])
        return told.astype(np.uint8).tobytes().decode()

    def tell(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the chief's arrays, numbers of 32 or 64 bits; what the others pass is ignored."""
        if not self.are_several:
            return list(arrays)
        forms = json.loads(self.tell_text(json.dumps([[array.shape, array.dtype.str] for array in arrays])))
        return self._tell(arrays if self.is_chief else [np.zeros(shape, dtype) for shape, dtype in forms])

    def _tell(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The same, where every process passes arrays of the same shapes and types."""

        @tf.function(autograph=False)
        def told(values: list[tf.Tensor]) -> list[tf.Tensor]:
            sums = self._strategy.run(_of_first_replica, args=(values,))
            return [self._strategy.experimental_local_results(value)[0] for value in sums]

        return [value.numpy() for value in told([tf.constant(array) for array in arrays])]


def _of_first_replica(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the values of the chief's first replica, which is the first of all."""
    context = tf.distribute.get_replica_context()
    is_first = context.replica_id_in_sync_group == 0
    values = [tf.where(is_first, value, tf.zeros([], value.dtype)) for value in values]
    # One by one: packed together, they would have to be of one type.
    return [context.all_reduce(tf.distribute.ReduceOp.SUM, value) for value in values]
