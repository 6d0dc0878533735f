"""What an evaluation needs to know of a candidate release before it loads the models."""

import dataclasses
import json
import os

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a release.

    Args:
      name: of its folder.
      capacity: items it passes on.
      list_capacity: items it passes on within a logged list, `None` for the size of the list's ground truth.
    """

    name: str
    capacity: int
    list_capacity: int | None = None


@dataclasses.dataclass(frozen=True)
class ReleaseOutline:
    """The part of a candidate's manifest that every version of this code writes alike.

    Args:
      stages: in funnel order.
      ground_truth_stage: `candidate_stage` from which on a candidate is ground truth.
    """

    stages: tuple[Stage, ...]
    ground_truth_stage: int


def read_outline(models_dir: str) -> ReleaseOutline:
    """Reads the `manifest.json` that lies beside the folder of a candidate's models.

    Raises:
      ValueError: if it is missing or damaged.
    """
    path = os.path.join(os.path.dirname(os.path.normpath(models_dir)), "manifest.json")
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            manifest = json.load(file)
        stages = tuple(
            Stage(entry["name"], int(entry["capacity"]), entry["list_capacity"]) for entry in manifest["stages"]
        )
        return ReleaseOutline(stages, int(manifest["features"]["ground_truth_stage"]))
    except (tf.errors.OpError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"The manifest {path!r} cannot be read: {type(error).__name__}: {error}") from error
