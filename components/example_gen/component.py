"""Components that bring request logs and the catalogue into the pipeline."""

import json
from collections.abc import Mapping, Sequence

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.example_gen.executor import CatalogueExampleGenExecutor, RequestExampleGenExecutor


class RequestExampleGenSpec(ComponentSpec):
    """Channels and parameters of `RequestExampleGen`.

    Parameters:
      adapter: JSON of the adapter, as `declare_adapter` writes it.
      splits: JSON, split name to its days.
      fingerprint: of the files, as `fingerprint` writes it.
      source_hash: of the code that runs.

    Outputs:
      examples: request examples, gzipped TFRecords of `tf.train.Example` in one folder per split.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "adapter": ExecutionParameter(type=str),
        "splits": ExecutionParameter(type=str),
        "fingerprint": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {}
    OUTPUTS: Mapping[str, ChannelParameter] = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class RequestExampleGen(BaseBeamComponent):
    """Reads the requests of some days with an adapter.

    Args:
      adapter: JSON of the adapter, as `declare_adapter` writes it.
      splits: split name (`train`, `eval`, `test`) to its ISO days.
      fingerprint: of the adapter's files; a change of it runs the component again.
      source_hash: of the code that runs; a change of it runs the component again.

    The output `examples` holds one split per entry. The policies that the adapter applied are its custom
    properties `<split>.<policy>`, next to `<split>.num_examples`; its `span` is the last day, counted from
    1970-01-01, its `version` the newest modification time of a file, in Unix seconds.
    """

    SPEC_CLASS = RequestExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(RequestExampleGenExecutor)

    def __init__(self, adapter: str, splits: Mapping[str, Sequence[str]], fingerprint: str, source_hash: str):
        spec = RequestExampleGenSpec(
            adapter=adapter,
            splits=json.dumps({name: list(days) for name, days in splits.items()}),
            fingerprint=fingerprint,
            source_hash=source_hash,
            examples=Channel(type=standard_artifacts.Examples),
        )
        super().__init__(spec=spec)


class CatalogueExampleGenSpec(ComponentSpec):
    """Channels and parameters of `CatalogueExampleGen`.

    Parameters:
      adapter: JSON of the adapter, as `declare_adapter` writes it.
      days: JSON list of the days whose items are in the catalogue.
      fingerprint: of the files, as `fingerprint` writes it.
      source_hash: of the code that runs.

    Outputs:
      examples: one example per item, in the one split `train`.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "adapter": ExecutionParameter(type=str),
        "days": ExecutionParameter(type=str),
        "fingerprint": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {}
    OUTPUTS: Mapping[str, ChannelParameter] = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class CatalogueExampleGen(BaseBeamComponent):
    """Reads the items known on some days with an adapter.

    Args:
      adapter: JSON of the adapter, as `declare_adapter` writes it.
      days: the ISO days whose items are in the catalogue.
      fingerprint: of the adapter's files; a change of it runs the component again.
      source_hash: of the code that runs; a change of it runs the component again.

    The output `examples` has the one split `train`; its properties are those of `RequestExampleGen`'s.
    """

    SPEC_CLASS = CatalogueExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(CatalogueExampleGenExecutor)

    def __init__(self, adapter: str, days: Sequence[str], fingerprint: str, source_hash: str):
        spec = CatalogueExampleGenSpec(
            adapter=adapter,
            days=json.dumps(list(days)),
            fingerprint=fingerprint,
            source_hash=source_hash,
            examples=Channel(type=standard_artifacts.Examples),
        )
        super().__init__(spec=spec)
