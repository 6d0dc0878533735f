"""Runs executors on artifacts made by hand, without a pipeline."""

import itertools

import pytest
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.base_executor import BaseExecutor


@pytest.fixture
def artifact(tmp_path):
    """Makes an artifact of a type with a folder of its own."""
    numbers = itertools.count(1)

    def artifact(artifact_type, splits=()):
        made = artifact_type()
        folder = tmp_path / "Component" / "output" / str(next(numbers))
        folder.mkdir(parents=True)
        made.uri = str(folder)
        if splits:
            made.splits = list(splits)
        return made

    return artifact


@pytest.fixture
def execute(tmp_path):
    """Runs an executor: `execute(Executor, inputs, outputs, **exec_properties)`."""

    def execute(executor_class, inputs, outputs, **exec_properties):
        options = {"tmp_dir": str(tmp_path / "tmp"), "unique_id": "1"}
        if issubclass(executor_class, BaseBeamExecutor):
            context = BaseBeamExecutor.Context(beam_pipeline_args=[], **options)
        else:
            context = BaseExecutor.Context(**options)
        as_lists = ({name: [artifact] for name, artifact in artifacts.items()} for artifacts in (inputs, outputs))
        return executor_class(context).Do(*as_lists, exec_properties)

    return execute
