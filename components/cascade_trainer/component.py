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
      checkpoint_dir: folder of the checkpoints of unfinished runs, the same for all executions.
      packed_dir: folder of the packed requests, the same for all executions.
      warm_start: `""`, `"last_release"`, or the folder of a candidate release or a cascade's SavedModel.
      serving_base: folder that releases are pushed to.
      source_hash: of the code that runs.
      profile: 1 to trace a few steps for TensorBoard's profiler.

    Inputs:
      requests: transformed requests with the splits `train` and `eval`.
      catalogue: the transformed catalogue, split `train`.
      request_transform: the transform of requests; it becomes part of the exported models.
      catalogue_transform: the transform of catalogue items.
      hyperparameters: tuned values, optional.

    Outputs:
      release: the candidate release.
      model_run: logs for TensorBoard.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "trainer": ExecutionParameter(type=str),
        "features": ExecutionParameter(type=str),
        "checkpoint_dir": ExecutionParameter(type=str),
        "packed_dir": ExecutionParameter(type=str),
        "warm_start": ExecutionParameter(type=str),
        "serving_base": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
        "profile": ExecutionParameter(type=int),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "requests": ChannelParameter(type=standard_artifacts.Examples),
        "catalogue": ChannelParameter(type=standard_artifacts.Examples),
        "request_transform": ChannelParameter(type=standard_artifacts.TransformGraph),
        "catalogue_transform": ChannelParameter(type=standard_artifacts.TransformGraph),
        "hyperparameters": ChannelParameter(type=standard_artifacts.HyperParameters, optional=True),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {
        "release": ChannelParameter(type=CandidateRelease),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }


class CascadeTrainer(BaseComponent):
    """Trains all stages as one network and exports them as a candidate release.

    An execution that was killed is executed again by the next run, and training goes on from its newest checkpoint. The
    last release is looked up when the component runs, so the cache does not see it.

    Args:
      requests: transformed requests with the splits `train` and `eval`.
      catalogue: the transformed catalogue, split `train`.
      request_transform: the transform of requests.
      catalogue_transform: the transform of catalogue items.
      trainer: JSON of the `TrainerConfig`.
      features: JSON of the `FeatureSpec`.
      checkpoint_dir: folder of the checkpoints of unfinished runs, outside of the artifacts.
      packed_dir: folder of the packed requests, outside of the artifacts.
      warm_start: what to start from: `""` for random weights, `"last_release"` for the newest in `serving_base`, or the
        folder of a candidate release or a cascade's SavedModel.
      serving_base: folder that releases are pushed to.
      source_hash: of the code that runs; a change of it runs the component again.
      hyperparameters: tuned values that take the place of those in `trainer`, as KerasTuner and TFX's Tuner write them.
      profile: whether to trace a few steps for TensorBoard's profiler; runs the component again too.

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
        checkpoint_dir: str,
        packed_dir: str,
        warm_start: str,
        serving_base: str,
        source_hash: str,
        hyperparameters: BaseChannel | None = None,
        profile: bool = False,
    ):
        spec = CascadeTrainerSpec(
            requests=requests,
            catalogue=catalogue,
            request_transform=request_transform,
            catalogue_transform=catalogue_transform,
            hyperparameters=hyperparameters,
            trainer=trainer,
            features=features,
            checkpoint_dir=checkpoint_dir,
            packed_dir=packed_dir,
            warm_start=warm_start,
            serving_base=serving_base,
            source_hash=source_hash,
            profile=int(profile),
            release=Channel(type=CandidateRelease),
            model_run=Channel(type=standard_artifacts.ModelRun),
        )
        super().__init__(spec=spec)
