"""What an evaluation needs to know of a release, candidate or baseline."""

import dataclasses
import json
import os
from collections.abc import Mapping

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a release.

    Args:
      name: of its model.
      capacity: items it passes on.
      list_capacity: items it passes on within a logged list, `None` for the size of the list's ground truth.
    """

    name: str
    capacity: int
    list_capacity: int | None = None


@dataclasses.dataclass(frozen=True)
class Subject:
    """A release to evaluate.

    Args:
      stages: in funnel order.
      model_dirs: folder of each stage's SavedModel, by the stage's name.
      ground_truth_stage: `candidate_stage` from which on a candidate is ground truth.
    """

    stages: tuple[Stage, ...]
    model_dirs: Mapping[str, str]
    ground_truth_stage: int


def read_candidate(candidate_dir: str) -> Subject:
    """Reads of a candidate release, as `trainer.release.candidate` writes it, what an evaluation needs.

    Raises:
      ValueError: the manifest is missing or damaged.
    """
    path = os.path.join(candidate_dir, "manifest.json")
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            manifest = json.load(file)
        stages = tuple(
            Stage(entry["name"], int(entry["capacity"]), entry["list_capacity"]) for entry in manifest["stages"]
        )
        ground_truth_stage = int(manifest["features"]["ground_truth_stage"])
    except (tf.errors.OpError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"The manifest {path!r} cannot be read: {type(error).__name__}: {error}") from error
    model_dirs = {stage.name: os.path.join(candidate_dir, "models", stage.name) for stage in stages}
    return Subject(stages, model_dirs, ground_truth_stage)
