"""A pushed release laid out as the evaluation reads a candidate."""

import json
from pathlib import Path

from serving.release.store import ReleaseStore
from trainer.candidate import MANIFEST, MODELS


def lay_out_pushed_release(store: ReleaseStore, version: int, folder: Path, *, ground_truth_stage: int) -> str:
    """Links the models of a pushed release into a candidate's layout.

    Args:
      store: the releases.
      version: of the release.
      folder: to write; it is made.
      ground_truth_stage: `candidate_stage` from which on a candidate is ground truth.

    Returns:
      The `models` folder, for `trainer.evaluation.evaluate.evaluate`.

    Raises:
      ReleaseError: there is no such release, or its manifest is damaged.
    """
    manifest = store.read(version)
    models = folder / MODELS
    models.mkdir(parents=True)
    for model in manifest.models:
        (models / model).symlink_to(store.model_path(model, version).resolve())
    stages = [{"name": stage.name, "capacity": stage.capacity, "list_capacity": None} for stage in manifest.stages]
    outline = {"stages": stages, "features": {"ground_truth_stage": ground_truth_stage}}
    (folder / MANIFEST).write_text(json.dumps(outline))
    return str(models)
