"""The component that judges a candidate release."""

from collections.abc import Mapping

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import CandidateRelease
from components.cascade_evaluator.executor import Executor


class CascadeEvaluatorSpec(ComponentSpec):
    """Channels and parameters of `CascadeEvaluator`.

    Parameters:
      config: JSON of the `EvaluationConfig`.
      serving_base: folder that releases are pushed to; its newest release is the baseline.
      oracle: JSON, k to the best possible pooled recall at k, empty where it is not known.
      source_hash: of the code that runs.

    Inputs:
      release: the candidate release.
      requests: raw requests with the split `train` (for popularity) and `test` or `eval`.
      catalogue: the raw catalogue, split `train`.

    Outputs:
      evaluation: `evaluation.json` and `evaluation.html`.
      blessing: the gate's decision.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "config": ExecutionParameter(type=str),
        "serving_base": ExecutionParameter(type=str),
        "oracle": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "release": ChannelParameter(type=CandidateRelease),
        "requests": ChannelParameter(type=standard_artifacts.Examples),
        "catalogue": ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class CascadeEvaluator(BaseComponent):
    """Measures a candidate release end to end and holds it against the gate and the last pushed release.

    The baseline is looked up when the component runs, so the cache does not see it: after a rollback, run
    again from this component.

    Args:
      release: the candidate release.
      requests: raw requests with the splits `train` and `test` or `eval`.
      catalogue: the raw catalogue.
      config: JSON of the `EvaluationConfig`.
      serving_base: folder that releases are pushed to.
      oracle: JSON, k to the best possible pooled recall at k.
      source_hash: of the code that runs; a change of it runs the component again.

    The output `blessing` has the properties `blessed` (1 or 0), `reasons` and `baseline_version` (0 before the
    first release); `evaluation` has `recall@<k>`.
    """

    SPEC_CLASS = CascadeEvaluatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        release: BaseChannel,
        requests: BaseChannel,
        catalogue: BaseChannel,
        config: str,
        serving_base: str,
        oracle: str,
        source_hash: str,
    ):
        spec = CascadeEvaluatorSpec(
            release=release,
            requests=requests,
            catalogue=catalogue,
            config=config,
            serving_base=serving_base,
            oracle=oracle,
            source_hash=source_hash,
            evaluation=Channel(type=standard_artifacts.ModelEvaluation),
            blessing=Channel(type=standard_artifacts.ModelBlessing),
        )
        super().__init__(spec=spec)
