"""Output files that are complete or not there."""

import os

import tensorflow as tf


def write_text(path: str, text: str) -> None:
    """Writes a file under a temporary name and renames it, so that it is never half there."""
    tf.io.gfile.makedirs(os.path.dirname(path))
    temporary = f"{path}.tmp"
    with tf.io.gfile.GFile(temporary, "w") as file:
        file.write(text)
    tf.io.gfile.rename(temporary, path, overwrite=True)
