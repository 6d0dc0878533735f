"""The component that tunes hyper-parameters."""

from collections.abc import Mapping

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.cascade_tuner.executor import Executor


class CascadeTunerSpec(ComponentSpec):
    """Channels and parameters of `CascadeTuner`.

    Parameters:
      tuning: JSON of the `TuningConfig`.
      trainer: JSON of the `TrainerConfig`.
      features: JSON of the `FeatureSpec`.
      state_dir: folder of the state of searches, the same for all executions.
      packed_dir: folder of packed requests, the same for all executions.
      source_hash: of the code that runs.

    Inputs:
      requests: transformed requests with the splits `train` and `eval`.
      catalogue: the transformed catalogue, split `train`.
      request_transform: the transform of requests.
      catalogue_transform: the transform of catalogue items.

    Outputs:
      best_hyperparameters: the values of the best trial.
      tuner_results: all trials.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "tuning": ExecutionParameter(type=str),
        "trainer": ExecutionParameter(type=str),
        "features": ExecutionParameter(type=str),
        "state_dir": ExecutionParameter(type=str),
        "packed_dir": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "requests": ChannelParameter(type=standard_artifacts.Examples),
        "catalogue": ChannelParameter(type=standard_artifacts.Examples),
        "request_transform": ChannelParameter(type=standard_artifacts.TransformGraph),
        "catalogue_transform": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {
        "best_hyperparameters": ChannelParameter(type=standard_artifacts.HyperParameters),
        "tuner_results": ChannelParameter(type=standard_artifacts.TunerResults),
    }


class CascadeTuner(BaseComponent):
    """Finds the values of a `TrainerConfig` with the best end-to-end recall on the evaluation days, by KerasTuner.

    The outputs are those of TFX's Tuner, written by its code. `tuner_results` has `trials.csv` and `trials.svg` too and
    carries the best recall and how many trials there were. TFX's own component takes one channel of examples and
    one transform, where a cascade needs the catalogue and its transform too.

    An execution that was killed is executed again by the next run and keeps the trials that were over.

    Args:
      requests: transformed requests with the splits `train` and `eval`.
      catalogue: the transformed catalogue, split `train`.
      request_transform: the transform of requests.
      catalogue_transform: the transform of catalogue items.
      tuning: JSON of the `TuningConfig`.
      trainer: JSON of the `TrainerConfig` to tune.
      features: JSON of the `FeatureSpec`.
      state_dir: folder of the state of searches, outside of the artifacts.
      packed_dir: folder of packed requests, outside of the artifacts, which the trainer shares.
      source_hash: of the code that runs; a change of it runs the component again.
    """

    SPEC_CLASS = CascadeTunerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        requests: BaseChannel,
        catalogue: BaseChannel,
        request_transform: BaseChannel,
        catalogue_transform: BaseChannel,
        tuning: str,
        trainer: str,
        features: str,
        state_dir: str,
        packed_dir: str,
        source_hash: str,
    ):
        spec = CascadeTunerSpec(
            requests=requests,
            catalogue=catalogue,
            request_transform=request_transform,
            catalogue_transform=catalogue_transform,
            tuning=tuning,
            trainer=trainer,
            features=features,
            state_dir=state_dir,
            packed_dir=packed_dir,
            source_hash=source_hash,
            best_hyperparameters=Channel(type=standard_artifacts.HyperParameters),
            tuner_results=Channel(type=standard_artifacts.TunerResults),
        )
        super().__init__(spec=spec)
