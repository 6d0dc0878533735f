import numpy as np
import tensorflow as tf

from trainer.callbacks.best_epoch import BestEpoch


def test_weights_of_the_best_epoch_come_back():
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, use_bias=False, input_shape=(1,))])
    best = BestEpoch("val_recall")
    best.set_model(model)
    for epoch, recall in enumerate([0.1, 0.5, 0.5, 0.3]):
        model.set_weights([np.full([1, 1], float(epoch))])
        best.on_epoch_end(epoch, {"val_recall": recall})
    best.restore()
    assert (best.epoch, best.value) == (2, 0.5)
    assert model.get_weights()[0].item() == 1.0
