"""A pushed release as the subject of an evaluation."""

import os
from collections.abc import Mapping

from serving.release.store import ReleaseStore
from trainer.evaluation.subject import Stage, Subject


def pushed_subject(
    store: ReleaseStore,
    version: int,
    *,
    ground_truth_stage: int,
    list_capacities: Mapping[str, int | None] | None = None,
) -> Subject:
    """Returns the subject of a pushed release.

    Args:
      store: the releases.
      version: of the release.
      ground_truth_stage: `candidate_stage` from which on a candidate is ground truth.
      list_capacities: stage name to the items it passes on within a logged list; a stage that is missing, and `None`,
        stand for the size of the list's ground truth.

    Raises:
      ReleaseError: there is no such release, or its manifest is damaged.
    """
    known = list_capacities or {}
    stages = tuple(Stage(each.name, each.capacity, known.get(each.name)) for each in store.read(version).stages)
    model_dirs = {stage.name: os.fspath(store.model_path(stage.name, version)) for stage in stages}
    return Subject(stages, model_dirs, ground_truth_stage)
