"""The event files of a training run."""

import os

import tensorflow as tf

TRAIN, VALIDATION = "train", "validation"


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
