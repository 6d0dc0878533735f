"""What the metadata store knows about the runs of a pipeline; needs neither TFX nor TensorFlow."""

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

_STATES = {
    metadata_store_pb2.Execution.NEW: "running",
    metadata_store_pb2.Execution.RUNNING: "running",
    metadata_store_pb2.Execution.COMPLETE: "executed",
    metadata_store_pb2.Execution.CACHED: "cached",
    metadata_store_pb2.Execution.FAILED: "failed",
    metadata_store_pb2.Execution.CANCELED: "interrupted",
}
NUM_COMPONENTS = "num_components"
"""Property of a run's context."""

Property = int | float | str

_TFX_PROPERTIES = {"tfx_version", "name", "payload_format", "file_format", "state", "is_external"}


@dataclasses.dataclass(frozen=True)
class ComponentRun:
    """One component in one pipeline run.

    Args:
      component: id of the component.
      state: `"executed"`, `"cached"`, `"failed"`, `"running"` or `"interrupted"` (its process died).
      start_time: when it started, UTC.
      duration_s: seconds from start to end.
      properties: what its outputs say of themselves, such as `train.num_examples`.
      outputs: output name to the folder of the artifact.
      error: message of a failure.
    """

    component: str
    state: str
    start_time: datetime.datetime
    duration_s: float
    properties: dict[str, Property]
    outputs: dict[str, str]
    error: str | None = None


@dataclasses.dataclass(frozen=True)
class PipelineRun:
    """One run of a pipeline.

    Args:
      pipeline: name of the pipeline.
      run_id: id of the run, the time of its start.
      components: its components in the order in which they ran.
      num_components: components that a whole run has.
    """

    pipeline: str
    run_id: str
    components: tuple[ComponentRun, ...]
    num_components: int

    @property
    def state(self) -> str:
        """`"failed"`, `"interrupted"` or `"running"` if a component is; `"refused"` if a gate did not bless the
        candidate; `"interrupted"` if components are missing; else `"complete"`."""
        states = {component.state for component in self.components}
        for state in ("failed", "interrupted", "running"):
            if state in states:
                return state
        if any(component.properties.get("blessed") == 0 for component in self.components):
            return "refused"
        return "interrupted" if len(self.components) < self.num_components else "complete"

    @property
    def duration_s(self) -> float:
        """Seconds spent in components."""
        return sum(component.duration_s for component in self.components)

    @property
    def properties(self) -> dict[str, Property]:
        """`component.property` of every component: counts, metrics, blessings, the pushed version."""
        return {
            f"{component.component}.{name}": value
            for component in self.components
            for name, value in component.properties.items()
        }


def open_store(database: Path) -> MetadataStore:
    """Opens an existing metadata store.

    Raises:
      FileNotFoundError: there is no such file.
    """
    if not database.is_file():
        raise FileNotFoundError(f"{database}: expected the metadata of pipeline runs. There is no such file")
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE
    return MetadataStore(config)


def list_runs(database: Path, pipeline: str | None = None) -> tuple[PipelineRun, ...]:
    """Lists the runs in a metadata store, newest first.

    Args:
      database: the SQLite file of the store.
      pipeline: only runs of this pipeline.

    Raises:
      FileNotFoundError: there is no such file.
    """
    store = open_store(database)
    runs = []
    for context in store.get_contexts_by_type("pipeline_run"):
        executions = store.get_executions_by_context(context.id)
        components = component_runs(store, executions)
        name = _pipeline_name(store, executions)
        if components and pipeline in (None, name):
            num_components = context.custom_properties[NUM_COMPONENTS].int_value
            runs.append(PipelineRun(name, context.name, components, num_components))
    return tuple(sorted(runs, key=lambda run: run.run_id, reverse=True))


def component_runs(
    store: MetadataStore, executions: Sequence[metadata_store_pb2.Execution]
) -> tuple[ComponentRun, ...]:
    """Describes executions, in the order in which they started."""
    ids = [execution.id for execution in executions]
    outputs: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for event in store.get_events_by_execution_ids(ids) if ids else ():
        if event.type == metadata_store_pb2.Event.OUTPUT:
            outputs[event.execution_id].append((event.path.steps[0].key, event.artifact_id))
    artifact_ids = sorted({artifact_id for events in outputs.values() for _, artifact_id in events})
    artifacts = {
        artifact.id: artifact for artifact in (store.get_artifacts_by_id(artifact_ids) if artifact_ids else ())
    }
    return tuple(
        _describe(execution, store, [(key, artifacts[artifact_id]) for key, artifact_id in outputs[execution.id]])
        for execution in sorted(executions, key=lambda execution: execution.id)
    )


def _describe(
    execution: metadata_store_pb2.Execution,
    store: MetadataStore,
    outputs: list[tuple[str, metadata_store_pb2.Artifact]],
) -> ComponentRun:
    properties: dict[str, Property] = {
        name: plain
        for _, artifact in outputs
        for name, value in sorted(artifact.custom_properties.items())
        if name not in _TFX_PROPERTIES and not name.startswith("__") and (plain := _plain(value)) is not None
    }
    return ComponentRun(
        component=_node_id(store, execution),
        state=_STATES.get(execution.last_known_state, "running"),
        start_time=datetime.datetime.fromtimestamp(execution.create_time_since_epoch / 1000, datetime.timezone.utc),
        duration_s=(execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000,
        properties=properties,
        outputs={key: artifact.uri for key, artifact in outputs},
        error=execution.custom_properties["error"].string_value if "error" in execution.custom_properties else None,
    )


def _node_id(store: MetadataStore, execution: metadata_store_pb2.Execution) -> str:
    for context in store.get_contexts_by_execution(execution.id):
        if context.type == "node":
            return context.name.partition(".")[2]
    return execution.type.rpartition(".")[2]


def _pipeline_name(store: MetadataStore, executions: Sequence[metadata_store_pb2.Execution]) -> str:
    for context in store.get_contexts_by_execution(executions[0].id) if executions else ():
        if context.type == "pipeline":
            return context.name
    return ""


def _plain(value: metadata_store_pb2.Value) -> Property | None:
    kind = value.WhichOneof("value")
    if kind not in ("int_value", "double_value", "string_value"):
        return None
    plain = getattr(value, kind)
    return None if plain == "" else plain
