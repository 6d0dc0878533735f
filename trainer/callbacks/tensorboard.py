"""TensorBoard scalars of a cascade's training."""

import os

import tensorflow as tf

from trainer.callbacks.best_epoch import VALIDATION

_GROUPS = {"_loss_weight": "loss_weight", "_loss": "loss", "_recall": "recall"}


class CascadeTensorBoard(tf.keras.callbacks.Callback):
    """Writes every loss term, loss weight, recall and the learning rate.

    Training scalars, means of the epoch so far, go to `<log_dir>/train`; those of the evaluation split, after each
    epoch, to `<log_dir>/validation`. The tags are `loss/<term>`, `loss_weight/<stage>`, `recall/<stage>`,
    `recall/end_to_end` and `learning_rate`; the step counts batches.

    Args:
      log_dir: folder of the logs.
      interval_steps: batches between two points of the training curves.
    """

    def __init__(self, log_dir: str, interval_steps: int = 20) -> None:
        super().__init__()
        self._log_dir = log_dir
        self._interval_steps = interval_steps

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._train = tf.summary.create_file_writer(os.path.join(self._log_dir, "train"))
        self._validation = tf.summary.create_file_writer(os.path.join(self._log_dir, "validation"))

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        if batch % self._interval_steps == 0:
            self._write(self._train, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        validation = {name: value for name, value in logs.items() if name.startswith(VALIDATION)}
        self._write(self._train, {name: value for name, value in logs.items() if name not in validation})
        self._write(self._validation, {name.removeprefix(VALIDATION): value for name, value in validation.items()})

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._train.close()
        self._validation.close()

    def _write(self, writer: tf.summary.SummaryWriter, values: dict[str, float]) -> None:
        step = self.model.optimizer.iterations
        with writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(_tag(name), value)
            if writer is self._train:
                tf.summary.scalar("learning_rate", self.model.optimizer.learning_rate)
        writer.flush()


def _tag(name: str) -> str:
    for suffix, group in _GROUPS.items():
        if name.endswith(suffix):
            return f"{group}/{name.removesuffix(suffix)}"
    return name
