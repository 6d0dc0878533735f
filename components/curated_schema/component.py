"""The component that imports a schema written by hand."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tfx.components.schema_gen.import_schema_gen.executor import Executor
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter


class CuratedSchemaSpec(ComponentSpec):
    """Channels and parameters of `CuratedSchema`.

    Parameters:
      schema_file: path of the schema, a protocol buffer as text.
      sha256: of its content, so that an edited schema is not taken from the cache.

    Outputs:
      schema: a copy of it.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "schema_file": ExecutionParameter(type=str),
        "sha256": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {}
    OUTPUTS: Mapping[str, ChannelParameter] = {"schema": ChannelParameter(type=standard_artifacts.Schema)}


class CuratedSchema(BaseComponent):
    """TFX's ImportSchemaGen, which runs again when the content of the file changes.

    Args:
      schema_file: the schema, a protocol buffer as text.
    """

    SPEC_CLASS = CuratedSchemaSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(self, schema_file: Path):
        spec = CuratedSchemaSpec(
            schema_file=str(schema_file),
            sha256=hashlib.sha256(schema_file.read_bytes()).hexdigest(),
            schema=Channel(type=standard_artifacts.Schema),
        )
        super().__init__(spec=spec)
