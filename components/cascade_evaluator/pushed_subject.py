"""A pushed release as the subject of an evaluation."""

import os
from collections.abc import Mapping

from serving.release.manifest import Manifest
from serving.release.store import ReleaseStore
from trainer.evaluation.subject import Stage, Subject


def pushed_subject(
    store: ReleaseStore,
    manifest: Manifest,
    *,
    ground_truth_stage: int,
    list_capacities: Mapping[str, int | None] | None = None,
) -> Subject:
    """Returns the subject of a pushed release.

    Args:
      store: the releases.
      manifest: of the release.
      ground_truth_stage: `candidate_stage` from which on a candidate is ground truth.
      list_capacities: stage name to the items it passes on within a logged list; a stage that is missing, and `None`,
        stand for the size of the list's ground truth.
    """
    known = list_capacities or {}
    stages = tuple(Stage(each.name, each.capacity, known.get(each.name)) for each in manifest.stages)
    model_dirs = {stage.name: os.fspath(store.model_path(stage.name, manifest.version)) for stage in stages}
    return Subject(stages, model_dirs, ground_truth_stage)
