"""Adam for embedding tables of which a step sees a few rows."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("lcron")
class LazyAdam(tf.keras.optimizers.Optimizer):
    """Adam (Kingma & Ba, ICLR 2015) that leaves alone the rows of a table which the step did not look up.

    With the number `t` of the step, from 1, its learning rate `η` and the gradient `g` of a weight or, of a table, of a
    row that was looked up,

        m ← β₁·m + (1 - β₁)·g,    v ← β₂·v + (1 - β₂)·g²,    w ← w - η·√(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε).

    Adam also moves the other rows, by moments that fade, for which it reads and writes the whole table and both its
    moments. Here the time of a step does not depend on the size of the table, nor does its memory but for the moments.

    Args:
      learning_rate: a float or a schedule.
      beta_1: decay of the mean of the gradients.
      beta_2: decay of the mean of their squares.
      epsilon: keeps the division finite.
      name: of the optimiser.
    """

    def __init__(
        self,
        learning_rate: float | tf.keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "LazyAdam",
        **kwargs: Any,
    ) -> None:
        kwargs["jit_compile"] = False  # XLA would compile anew for each number of rows
        super().__init__(name=name, **kwargs)
        self._learning_rate = self._build_learning_rate(learning_rate)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.moments: list[tuple[tf.Variable, tf.Variable]] = []

    def build(self, var_list: Sequence[tf.Variable]) -> None:
        """Makes the moments of the variables."""
        super().build(var_list)
        if not self.moments:
            self.moments = [
                (self.add_variable_from_reference(v, "m"), self.add_variable_from_reference(v, "v")) for v in var_list
            ]

    def update_step(self, gradient: tf.Tensor | tf.IndexedSlices, variable: tf.Variable) -> None:
        """Updates a variable. The rows of an `IndexedSlices` are distinct: `apply_gradients` sums up equal ones."""
        dtype = variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        rate = tf.cast(self.learning_rate, dtype) * tf.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        mean, square = self.moments[self._index_dict[self._var_key(variable)]]

        if not isinstance(gradient, tf.IndexedSlices):
            mean.assign_add((gradient - mean) * (1 - beta_1))
            square.assign_add((tf.square(gradient) - square) * (1 - beta_2))
            variable.assign_sub(rate * mean / (tf.sqrt(square) + self.epsilon))
            return
        values, rows = gradient.values, gradient.indices
        new_mean = beta_1 * tf.gather(mean, rows) + (1 - beta_1) * values
        new_square = beta_2 * tf.gather(square, rows) + (1 - beta_2) * tf.square(values)
        mean.scatter_update(tf.IndexedSlices(new_mean, rows))
        square.scatter_update(tf.IndexedSlices(new_square, rows))
        variable.scatter_sub(tf.IndexedSlices(rate * new_mean / (tf.sqrt(new_square) + self.epsilon), rows))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter(self._learning_rate),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
