"""A call that a server has begun and not ended, for as long as a test wants."""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

SIGNATURE = "hold"
SPECS = {name: tf.TensorSpec([None], tf.string, name) for name in ("arrival", "end")}


def hold(arrival: tf.Tensor, end: tf.Tensor) -> dict[str, tf.Tensor]:
    """What the signature `hold` of a model computes: it writes to two pipes, and each write waits for a reader."""
    with tf.control_dependencies([tf.io.write_file(arrival[0], "here")]):
        ending = tf.io.write_file(end[0], "done")
    with tf.control_dependencies([ending]):
        return {"held": tf.fill(tf.shape(end), True)}


class Gate:
    """Holds one call of the signature `hold`, in this process or another. The end of the block lets it go.

    Args:
      folder: for the two pipes, new.

    Example:
      with Gate(tmp_path / "gate") as gate:
          call = stub.Predict.future(request_of("assorted", gate.inputs, SIGNATURE))
          gate.wait_for_the_call()
          ...
          gate.let_go()
          call.result()
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._paths = {name: folder / name for name in SPECS}
        for path in self._paths.values():
            os.mkfifo(path)

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """Inputs of the call, one row."""
        return {name: np.array([os.fsencode(path)], object) for name, path in self._paths.items()}

    def wait_for_the_call(self) -> None:
        """Returns once the server computes the call, which goes on only when it is let go."""
        self._paths["arrival"].read_bytes()

    def let_go(self) -> None:
        """Has the call end, whether it has come or will."""
        for path in self._paths.values():
            os.open(path, os.O_RDWR)  # open both ways, and left so, a pipe has a reader for ever

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *error: object) -> None:
        self.let_go()
