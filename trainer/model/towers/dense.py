"""Dense layers of the towers."""

from collections.abc import Sequence

import tensorflow as tf


def dense_stack(
    hidden_units: Sequence[int], output_dim: int | None = None, dtype: tf.keras.mixed_precision.Policy | None = None
) -> tf.keras.Sequential:
    """Returns dense ReLU layers, and a linear one of `output_dim` units at the end unless that is `None`."""
    layers = [tf.keras.layers.Dense(units, activation="relu", dtype=dtype) for units in hidden_units]
    if output_dim is not None:
        layers.append(tf.keras.layers.Dense(output_dim, dtype=dtype))
    return tf.keras.Sequential(layers)


class RequestItemMlp(tf.keras.layers.Layer):
    """A multilayer perceptron on the features of a request beside those of each of its items.

    The first layer is linear in the two halves, so the request's half is multiplied once per request instead of
    once per item. Call `project` with the request and the layer with its result.

    Args:
      hidden_units: widths of the hidden layers, at least one.
    """

    def __init__(self, hidden_units: Sequence[int], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.hidden_units = tuple(hidden_units)
        self.project = tf.keras.layers.Dense(hidden_units[0], name="request", dtype=self.dtype_policy)
        self.item = tf.keras.layers.Dense(hidden_units[0], use_bias=False, name="item", dtype=self.dtype_policy)
        self.rest = dense_stack(hidden_units[1:], 1, self.dtype_policy)

    def call(self, projected_request: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """Returns one score per item, `[batch_size, num_candidates]`.

        Args:
          projected_request: `[batch_size, hidden_units[0]]`, of `project`.
          item: `[batch_size, num_candidates, width]`.
        """
        hidden = tf.nn.relu(projected_request[:, tf.newaxis] + self.item(item))
        return tf.squeeze(self.rest(hidden), axis=-1)
