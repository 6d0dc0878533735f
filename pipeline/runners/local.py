"""Runs a pipeline in this process, component after component, with a quiet terminal."""

import contextlib
import datetime
import logging
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from absl import logging as absl_logging
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from components.progress import PROGRESS_LOGGER
from pipeline.history import NUM_COMPONENTS, ComponentRun, PipelineRun, component_runs, open_store
from pipeline.runners.capture import captured_output
from pipeline.runners.errors import ComponentFailedError, PipelineError, ReleaseRefusedError, root_cause
from pipeline.runners.run_lock import run_lock
from pipeline.runners.ticker import Ticker, format_duration
from trainer.reporting import Report


def run_local(
    pipeline: Pipeline,
    *,
    log_dir: Path,
    use_cache: bool = True,
    from_component: str | None = None,
    report: Report = print,
) -> PipelineRun:
    """Runs the pipeline. A component whose inputs, parameters and code did not change is taken from the cache.

    Args:
      pipeline: the pipeline; its metadata are an SQLite file.
      log_dir: folder for the log of the run, `<run id>.log`, with everything that libraries print or log.
      use_cache: whether to use the cache at all.
      from_component: execute this component and everything downstream of it, whatever the cache holds.
      report: prints a line, to stdout: where the log is, then progress.

    Returns:
      The run, every component `"executed"` or `"cached"`.

    Raises:
      PipelineError: there is no component `from_component`.
      RunInProgressError: another process runs over the same metadata.
      ComponentFailedError: a component failed.
      ReleaseRefusedError: a gate did not bless the candidate release.
    """
    run_id = datetime.datetime.now().isoformat(timespec="milliseconds")
    log_path = log_dir / f"{run_id}.log"
    with captured_output(log_path) as terminal, _absl_verbosity(absl_logging.INFO):
        ir = compiler.Compiler().compile(pipeline)
        _set_caching(ir, use_cache, from_component)
        _note_num_components(ir)
        runtime_parameter_utils.substitute_runtime_parameter(ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id})
        return _Run(ir, run_id, log_path, terminal, report).execute()


class _Run:
    def __init__(self, ir: pipeline_pb2.Pipeline, run_id: str, log_path: Path, terminal: TextIO, report: Report):
        self._ir = ir
        self._run_id = run_id
        self._log_path = log_path
        self._terminal = terminal
        self._report_line = report
        self._deployment = runner_utils.extract_local_deployment_config(ir)
        connection = self._deployment.metadata_connection_config
        self._connection = getattr(connection, connection.WhichOneof("connection_config"))
        self._database = Path(self._connection.sqlite.filename_uri)

    def execute(self) -> PipelineRun:
        pipeline_name = self._ir.pipeline_info.id
        nodes = [node.pipeline_node for node in self._ir.nodes]
        done: list[ComponentRun] = []
        with run_lock(self._database):
            self._report(f"log: {self._log_path}")
            self._mark_interrupted()
            for number, node in enumerate(nodes, start=1):
                label = f"[{number:2}/{len(nodes)}] {node.node_info.id}"
                try:
                    with Ticker(label, self._terminal) as ticker, self._progress(ticker):
                        component = self._launch(node)
                except ComponentFailedError:
                    self._report(f"{label}: failed in {format_duration(ticker.elapsed_s)}")
                    raise
                done.append(component)
                self._report(f"{label}: {component.state} in {format_duration(ticker.elapsed_s)}{_notes(component)}")
                if component.properties.get("blessed") == 0:
                    reasons = str(component.properties.get("reasons", "not blessed"))
                    raise ReleaseRefusedError(component.component, reasons, self._log_path)
        return PipelineRun(pipeline_name, self._run_id, tuple(done), num_components=len(nodes))

    def _launch(self, node: pipeline_pb2.PipelineNode) -> ComponentRun:
        node_id = node.node_info.id
        try:
            execution_info = launcher.Launcher(
                pipeline_node=node,
                mlmd_connection=metadata.Metadata(self._connection),
                pipeline_info=self._ir.pipeline_info,
                pipeline_runtime_spec=self._ir.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(self._deployment, node_id),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(self._deployment, node_id),
            ).launch()
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", node_id)
            reason = root_cause(error)
            self._keep_reason(node_id, reason)
            raise ComponentFailedError(node_id, reason, self._log_path) from error
        if execution_info is None or execution_info.execution_id is None:
            raise ComponentFailedError(node_id, "its inputs were not produced", self._log_path)
        store = open_store(self._database)
        (component,) = component_runs(store, store.get_executions_by_id([execution_info.execution_id]))
        if component.state not in ("executed", "cached"):
            raise ComponentFailedError(node_id, component.error or "its inputs could not be resolved", self._log_path)
        return component

    def _keep_reason(self, node_id: str, reason: str) -> None:
        store = open_store(self._database)
        for execution in self._executions(store, node_id):
            execution.custom_properties["error"].string_value = reason
            store.put_executions([execution])

    def _executions(self, store: MetadataStore, node_id: str) -> list[metadata_store_pb2.Execution]:
        run = store.get_context_by_type_and_name("pipeline_run", self._run_id)
        node = store.get_context_by_type_and_name("node", f"{self._ir.pipeline_info.id}.{node_id}")
        if run is None or node is None:
            return []
        of_node = {execution.id for execution in store.get_executions_by_context(node.id)}
        return [execution for execution in store.get_executions_by_context(run.id) if execution.id in of_node]

    def _mark_interrupted(self) -> None:
        """Under the lock nobody else runs: what is still running in the store belongs to a process that died."""
        if not self._database.exists():
            return
        store = open_store(self._database)
        artifacts = Path(self._ir.runtime_spec.pipeline_root.field_value.string_value)
        for execution in store.get_executions():
            if execution.last_known_state == metadata_store_pb2.Execution.RUNNING:
                execution.last_known_state = metadata_store_pb2.Execution.CANCELED
                store.put_executions([execution])
                for pattern in (f"*/*/{execution.id}", f"*/*/.{execution.id}.tmp-*"):
                    for half_written in artifacts.glob(pattern):
                        shutil.rmtree(half_written)

    def _report(self, text: str) -> None:
        with contextlib.redirect_stdout(self._terminal):
            self._report_line(text)

    @contextlib.contextmanager
    def _progress(self, ticker: Ticker) -> Iterator[None]:
        """Shows what components report on their way."""

        class Handler(logging.Handler):
            def emit(handler, record: logging.LogRecord) -> None:
                ticker.clear()
                self._report(textwrap.indent(record.getMessage(), " " * 8))

        logger, handler = logging.getLogger(PROGRESS_LOGGER), Handler()
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


@contextlib.contextmanager
def _absl_verbosity(verbosity: int) -> Iterator[None]:
    before = absl_logging.get_verbosity()
    absl_logging.set_verbosity(verbosity)
    try:
        yield
    finally:
        absl_logging.set_verbosity(before)


def _set_caching(ir: pipeline_pb2.Pipeline, use_cache: bool, from_component: str | None) -> None:
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}
    if from_component is not None and from_component not in nodes:
        raise PipelineError(f"`from` must be one of {', '.join(nodes)}. Received: {from_component!r}")
    again = set() if from_component is None else {from_component}
    for node_id, node in nodes.items():  # in topological order
        if node_id in again:
            again.update(node.downstream_nodes)
        node.execution_options.caching_options.enable_cache = use_cache and node_id not in again


def _note_num_components(ir: pipeline_pb2.Pipeline) -> None:
    """Lets the run's context say how many components a whole run has."""
    for node in ir.nodes:
        for context in node.pipeline_node.contexts.contexts:
            if context.type.name == "pipeline_run":
                context.properties[NUM_COMPONENTS].field_value.int_value = len(ir.nodes)


def _notes(component: ComponentRun) -> str:
    """Counts, metrics, blessings and versions that fit the line."""
    shown = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in component.properties.items()
        if isinstance(value, int | float)
    ]
    return f" ({', '.join(shown)})" if shown else ""
