"""The component that makes a candidate the next release."""

import json
from collections.abc import Mapping

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import CandidateRelease
from components.cascade_pusher.executor import Executor


class CascadePusherSpec(ComponentSpec):
    """Channels and parameters of `CascadePusher`.

    Parameters:
      serving_base: folder to push to.
      data_span: JSON list of the first and last training day.
      source_hash: of the code that runs.

    Inputs:
      release: the candidate release.
      evaluation: its evaluation; the metrics go into the release's manifest.
      model_blessing: of the evaluation.
      infra_blessing: of the serving validation.

    Outputs:
      pushed: the manifest of the release.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "serving_base": ExecutionParameter(type=str),
        "data_span": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "release": ChannelParameter(type=CandidateRelease),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {"pushed": ChannelParameter(type=standard_artifacts.PushedModel)}


class CascadePusher(BaseComponent):
    """Publishes a candidate release under one version number, if both gates blessed it.

    Args:
      release: the candidate release.
      evaluation: its evaluation.
      model_blessing: of the evaluation.
      infra_blessing: of the serving validation.
      serving_base: folder to push to.
      data_span: first and last ISO day of the training data.
      source_hash: of the code that runs; a change of it runs the component again.

    The output `pushed` has the properties `version` and `serving_base`.
    """

    SPEC_CLASS = CascadePusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        release: BaseChannel,
        evaluation: BaseChannel,
        model_blessing: BaseChannel,
        infra_blessing: BaseChannel,
        serving_base: str,
        data_span: tuple[str, str],
        source_hash: str,
    ):
        spec = CascadePusherSpec(
            release=release,
            evaluation=evaluation,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            serving_base=serving_base,
            data_span=json.dumps(data_span),
            source_hash=source_hash,
            pushed=Channel(type=standard_artifacts.PushedModel),
        )
        super().__init__(spec=spec)
