"""The artifact type that TFX does not have."""

from tfx.types.artifact import Artifact
from tfx.types.system_artifacts import Model


class CandidateRelease(Artifact):
    """The stage models of one training run, not yet judged.

    File structure: `models/<stage>/` and `models/cascade/` (SavedModels), `checkpoint/` (weights and the training
    record) and `manifest.json` (stages in funnel order, capacities).
    """

    TYPE_NAME = "CandidateRelease"
    TYPE_ANNOTATION = Model
