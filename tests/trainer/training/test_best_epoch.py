import numpy as np
import pytest
import tensorflow as tf

from trainer.release.training_record import EpochRecord
from trainer.training.best_epoch import BestEpoch


@pytest.fixture
def model():
    return tf.keras.Sequential([tf.keras.layers.Dense(1, use_bias=False, input_shape=(1,))])


def see(best: BestEpoch, recalls: list[float], first_epoch: int = 0) -> None:
    for epoch, recall in enumerate(recalls, first_epoch):
        best.model.set_weights([np.full([1, 1], float(epoch))])
        best.on_epoch_end(epoch, {"val_recall": recall})


def test_weights_of_the_best_epoch_come_back(model):
    best = BestEpoch("val_recall")
    best.set_model(model)
    see(best, [0.1, 0.5, 0.5, 0.3])
    best.restore()
    assert (best.epoch, best.value) == (2, 0.5)
    assert model.get_weights()[0].item() == 1.0
    assert not best.is_over


def test_the_last_epoch_is_taken_where_the_run_says_so(model):
    best = BestEpoch("val_recall", takes_last=True)
    best.set_model(model)
    see(best, [0.1, 0.5, 0.3])
    best.restore()
    assert (best.epoch, best.value) == (3, 0.3)
    assert model.get_weights()[0].item() == 2.0


@pytest.mark.parametrize(
    ("recalls", "is_over"),
    [([], False), ([0.5], False), ([0.5, 0.4], False), ([0.5, 0.4, 0.5], True), ([0.5, 0.4, 0.6, 0.1], False)],
)
def test_patience_counts_the_epochs_since_the_best(model, recalls, is_over):
    best = BestEpoch("val_recall", patience=2)
    best.set_model(model)
    see(best, recalls)
    assert best.is_over == is_over


def test_an_interrupted_run_remembers(model):
    best = BestEpoch("val_recall", patience=2)
    best.set_model(model)
    epochs = [EpochRecord(epoch, 1.0, {}, {"recall": recall}) for epoch, recall in ((1, 0.5), (2, 0.4))]
    best.restore_state(epochs, [np.full([1, 1], 7.0)])
    assert not best.is_over
    see(best, [0.5], first_epoch=2)
    assert best.is_over
    best.restore()
    assert (best.epoch, best.value) == (1, 0.5)
    assert model.get_weights()[0].item() == 7.0
