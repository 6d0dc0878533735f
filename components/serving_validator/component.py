"""The component that serves a candidate release before it is pushed."""

from collections.abc import Mapping

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import CandidateRelease
from components.serving_validator.executor import Executor


class ServingValidatorSpec(ComponentSpec):
    """Channels and parameters of `ServingValidator`.

    Parameters:
      num_requests: logged requests that are sent.
      k: items asked for in each, at most the smallest capacity.
      tolerance: largest difference of two scores, relative to `max(1, |score|)`.
      timeout_s: limit for the server's start and for each call.
      source_hash: of the code that runs.

    Inputs:
      release: the candidate release.
      model_blessing: of the evaluation; a candidate without it is not served.
      requests: raw requests with the split `test` or `eval`.
      transformed_requests: the same requests after Transform.

    Outputs:
      blessing: the answer, with `serving_validation.json`: largest differences and latencies.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "num_requests": ExecutionParameter(type=int),
        "k": ExecutionParameter(type=int),
        "tolerance": ExecutionParameter(type=float),
        "timeout_s": ExecutionParameter(type=float),
        "source_hash": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "release": ChannelParameter(type=CandidateRelease),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "requests": ChannelParameter(type=standard_artifacts.Examples),
        "transformed_requests": ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {"blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingValidator(BaseComponent):
    """Serves a candidate release in a process of its own, sends logged requests over gRPC and compares the answers
    with the SavedModels called in Python and with the Keras model fed by the training path.

    Args:
      release: the candidate release.
      model_blessing: of the evaluation.
      requests: raw requests with the split `test` or `eval`.
      transformed_requests: the same requests after Transform.
      num_requests: logged requests that are sent.
      k: items asked for in each.
      tolerance: largest difference of two scores, relative to `max(1, |score|)`.
      timeout_s: limit for the server's start and for each call.
      source_hash: of the code that runs; a change of it runs the component again.

    The output `blessing` has the properties `blessed` (1 or 0), `reasons` and `max_difference`.
    """

    SPEC_CLASS = ServingValidatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        release: BaseChannel,
        model_blessing: BaseChannel,
        requests: BaseChannel,
        transformed_requests: BaseChannel,
        num_requests: int,
        k: int,
        tolerance: float,
        timeout_s: float,
        source_hash: str,
    ):
        spec = ServingValidatorSpec(
            release=release,
            model_blessing=model_blessing,
            requests=requests,
            transformed_requests=transformed_requests,
            num_requests=num_requests,
            k=k,
            tolerance=tolerance,
            timeout_s=timeout_s,
            source_hash=source_hash,
            blessing=Channel(type=standard_artifacts.InfraBlessing),
        )
        super().__init__(spec=spec)
