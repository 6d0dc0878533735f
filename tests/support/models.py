"""SavedModels that tests call."""

import functools
from pathlib import Path
from typing import Any

import tensorflow as tf


@functools.lru_cache(maxsize=12)
def load_saved_model(path: Path) -> Any:
    """Returns a SavedModel, which stays loaded for the tests that follow: to load one takes two seconds."""
    return tf.saved_model.load(str(path))
