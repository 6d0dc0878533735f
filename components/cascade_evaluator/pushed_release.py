"""A pushed release laid out as the evaluation reads a candidate."""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from serving.release.files import copy_tree
from serving.release.store import ReleaseStore
from trainer.release.candidate import MANIFEST, MODELS


@contextlib.contextmanager
def candidate_layout(
    store: ReleaseStore,
    version: int,
    *,
    ground_truth_stage: int,
    list_capacities: Mapping[str, int | None] | None = None,
) -> Iterator[str]:
    """Lays the models of a pushed release out as a candidate's, for as long as the context lasts.

    Models in a folder are linked, those of a path with a scheme are copied.

    Args:
      store: the releases.
      version: of the release.
      ground_truth_stage: `candidate_stage` from which on a candidate is ground truth.
      list_capacities: stage name to the items it passes on within a logged list; a stage that is missing, and `None`,
        stand for the size of the list's ground truth.

    Yields:
      The `models` folder, for `trainer.evaluation.evaluate.evaluate`.

    Raises:
      ReleaseError: there is no such release, or its manifest is damaged.
    """
    manifest = store.read(version)
    # Not in a component's own temporary folder: TFX clears that with gfile, which deletes what links point to.
    with tempfile.TemporaryDirectory(prefix="lcron-release-") as folder:
        models = Path(folder) / MODELS
        models.mkdir()
        for model in manifest.models:
            pushed = store.model_path(model, version)
            if isinstance(pushed, Path):
                (models / model).symlink_to(pushed.resolve())
            else:
                copy_tree(pushed, models / model)
        known = list_capacities or {}
        stages = [
            {"name": stage.name, "capacity": stage.capacity, "list_capacity": known.get(stage.name)}
            for stage in manifest.stages
        ]
        outline = {"stages": stages, "features": {"ground_truth_stage": ground_truth_stage}}
        (Path(folder) / MANIFEST).write_text(json.dumps(outline))
        yield str(models)
