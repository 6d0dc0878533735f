"""What the views of TensorBoard share: the tags, the event files and callbacks that look every so many steps."""

import os

import tensorflow as tf

TRAIN, VALIDATION = "train", "validation"

_GROUPS = {
    "_gradient_norm": "gradient_norm",
    "_loss_weight": "loss_weight",
    "_loss": "loss",
    "_recall": "recall",
}


def tag(name: str) -> str:
    """Turns the name of a metric into its tag, such as `ranking_loss` into `loss/ranking`.

    TensorBoard groups tags by what stands before the slash. A name of no known ending stays as it is.
    """
    for ending, group in _GROUPS.items():
        if name.endswith(ending):
            return f"{group}/{name.removesuffix(ending)}"
    return name


class SummaryWriters:
    """Writes the event files of a run: `run` to the log folder itself, `train` and `validation` to folders in it.

    What both splits have goes under the same tag, so TensorBoard draws both into one chart.

    Args:
      log_dir: folder of the logs.
    """

    def __init__(self, log_dir: str) -> None:
        self.log_dir = log_dir
        self.run = tf.summary.create_file_writer(log_dir)
        self.train = tf.summary.create_file_writer(os.path.join(log_dir, TRAIN))
        self.validation = tf.summary.create_file_writer(os.path.join(log_dir, VALIDATION))

    def flush(self) -> None:
        """Lets readers see what was written."""
        for writer in (self.run, self.train, self.validation):
            writer.flush()

    def close(self) -> None:
        """Ends the files."""
        for writer in (self.run, self.train, self.validation):
            writer.close()


class IntervalCallback(tf.keras.callbacks.Callback):
    """Calls `on_interval` at the first step of a run and every `interval_steps` after it, whatever the epochs.

    Steps count from the start of the whole run, so an interrupted run goes on where its curves ended.

    Args:
      interval_steps: steps between two looks.
    """

    def __init__(self, interval_steps: int) -> None:
        super().__init__()
        if interval_steps < 1:
            raise ValueError(f"`interval_steps` must be at least 1. Received: interval_steps={interval_steps}")
        self.interval_steps = interval_steps
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        if self.is_due(batch):
            self.on_interval(batch, logs)

    def on_interval(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        """Looks at the run after a step that is due.

        Args:
          batch: number of the step in its epoch, from 0.
          logs: of the step.
        """

    def is_due(self, batch: int) -> bool:
        """Whether this step of the epoch, from 0, is one to look at."""
        return (self.step(batch) - 1) % self.interval_steps == 0

    @property
    def num_steps(self) -> int:
        """Steps of an epoch."""
        return self.params["steps"]

    def step(self, batch: int) -> int:
        """The number of a step of the epoch in the whole run, from 1."""
        return self.epoch * self.num_steps + batch + 1
