"""The compiled steps of a model, over the replicas of its strategy."""

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from trainer.global_batch import Batch, own_requests
from trainer.model.cascade_model import CascadeModel

Logs = dict[str, tf.Tensor]


class Steps:
    """Steps on global batches.

    Args:
      model: built and compiled in the scope of its strategy.
      element_spec: of a batch.
    """

    def __init__(self, model: CascadeModel, element_spec: dict[str, tf.TensorSpec]) -> None:
        self._model = model
        self._strategy = model.distribute_strategy
        is_spread = model.config.distribution != "none"  # over one replica too, which draws what two replicas draw
        self._train = tf.function(
            self._spread_train_step if is_spread else model.train_step,
            input_signature=[element_spec],
            jit_compile=model.config.jit_compile or None,
            autograph=False,  # which only makes tracing longer: nothing here branches on the value of a tensor
        )
        self._test = tf.function(
            self._spread_test_step if is_spread else model.test_step, input_signature=[element_spec], autograph=False
        )

    def train(self, batch: Batch) -> Logs:
        """Takes a training step.

        Returns:
          The metrics so far and the norms of the gradients, by name, as `CascadeModel.train_step` does.
        """
        return self._train(batch)

    def evaluate(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Returns the metrics of a whole split, by name."""
        self._model.reset_metrics()
        for batch in batches:
            self._test(batch)
        return self.metrics()

    def metrics(self) -> dict[str, float]:
        """Returns the metrics so far, by name."""
        return {name: float(value) for name, value in self._model.results().items()}

    def _spread_train_step(self, batch: Batch) -> Logs:
        norms = self._run(self._model.take_step, batch)
        norms = {name: self._strategy.experimental_local_results(norm)[0] for name, norm in norms.items()}
        return self._model.results() | norms

    def _spread_test_step(self, batch: Batch) -> Logs:
        self._run(self._model.compute_loss, batch)
        return self._model.results()

    def _run(self, function: Callable[[Batch], Any], batch: Batch) -> Any:
        return self._strategy.run(lambda: function(own_requests(batch)))
