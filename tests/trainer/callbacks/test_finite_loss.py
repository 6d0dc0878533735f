import math

import pytest
import tensorflow as tf

from trainer.callbacks.finite_loss import DivergedError, FiniteLoss


@pytest.fixture
def finite_loss() -> FiniteLoss:
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(1,))])
    model.compile(tf.keras.optimizers.Adam(0.5))
    callback = FiniteLoss()
    callback.set_model(model)
    return callback


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(finite_loss, value):
    with pytest.raises(DivergedError, match=r"Training diverged: `ranking_loss` is (nan|inf) at step 0.*now 0\.5"):
        finite_loss.on_train_batch_end(3, {"total_loss": 1.0, "ranking_loss": value})


def test_other_values_do_not(finite_loss):
    finite_loss.on_train_batch_end(3, {"total_loss": 1.0, "end_to_end_recall": math.nan})
