"""The component that trains the cascade."""

from collections.abc import Mapping

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import CandidateRelease
from components.cascade_trainer.executor import Executor


class CascadeTrainerSpec(ComponentSpec):
    """Channels and parameters of `CascadeTrainer`.

    Parameters:
      trainer: JSON of the `TrainerConfig`.
      features: JSON of the `FeatureSpec`.
      source_hash: of the code that runs.

    Inputs:
      requests: transformed requests with the splits `train` and `eval`.
      catalogue: the transformed catalogue, split `train`.
      request_transform: the transform of requests; it becomes part of the exported models.
      catalogue_transform: the transform of catalogue items.

    Outputs:
      release: the candidate release.
      model_run: logs for TensorBoard.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "trainer": ExecutionParameter(type=str),
        "features": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "requests": ChannelParameter(type=standard_artifacts.Examples),
        "catalogue": ChannelParameter(type=standard_artifacts.Examples),
        "request_transform": ChannelParameter(type=standard_artifacts.TransformGraph),
        "catalogue_transform": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {
        "release": ChannelParameter(type=CandidateRelease),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }


class CascadeTrainer(BaseComponent):
    """Trains all stages as one network and exports them as a candidate release.

    Args:
      requests: transformed requests with the splits `train` and `eval`.
      catalogue: the transformed catalogue, split `train`.
      request_transform: the transform of requests.
      catalogue_transform: the transform of catalogue items.
      trainer: JSON of the `TrainerConfig`.
      features: JSON of the `FeatureSpec`.
      source_hash: of the code that runs; a change of it runs the component again.

    The output `release` carries the number of parameters and items, the epoch kept and its in-list recall.
    """

    SPEC_CLASS = CascadeTrainerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        requests: BaseChannel,
        catalogue: BaseChannel,
        request_transform: BaseChannel,
        catalogue_transform: BaseChannel,
        trainer: str,
        features: str,
        source_hash: str,
    ):
        spec = CascadeTrainerSpec(
            requests=requests,
            catalogue=catalogue,
            request_transform=request_transform,
            catalogue_transform=catalogue_transform,
            trainer=trainer,
            features=features,
            source_hash=source_hash,
            release=Channel(type=CandidateRelease),
            model_run=Channel(type=standard_artifacts.ModelRun),
        )
        super().__init__(spec=spec)
