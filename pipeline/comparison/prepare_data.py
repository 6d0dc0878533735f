"""Makes the data of a comparison, by the pipeline's own components."""

from collections.abc import Callable
from pathlib import Path

from pipeline.comparison.prepared_data import PreparedData
from pipeline.experiment import ExperimentConfig
from pipeline.history import PipelineRun
from pipeline.pipeline import create_data_pipeline
from pipeline.runners.local import run_local
from trainer.data.training_files import TrainingFiles


def prepare_data(
    experiment: ExperimentConfig, *, data_dir: Path, root: Path, report: Callable[[str], None]
) -> PreparedData:
    """Runs the components from example generation to Transform, or takes them from the cache of `root`.

    Args:
      experiment: the data set, its features and splits.
      data_dir: folder of the raw logs.
      root: folder of artifacts and metadata, as of `lcron run`.
      report: gets lines of progress.

    Raises:
      PipelineError: a component failed.
      DataError: the folder does not hold the data set.
      ValueError: the adapter's options, the splits or the schema folder do not fit.
    """
    run = run_local(
        create_data_pipeline(experiment, data_dir=data_dir, root=root), log_dir=root / "logs", report=report
    )
    judging = "test" if experiment.splits.test_days != 0 else "eval"
    return PreparedData(
        training=TrainingFiles(
            request_transform_dir=_output(run, "RequestTransform", "transform_graph"),
            catalogue_transform_dir=_output(run, "CatalogueTransform", "transform_graph"),
            train_files=_files(run, "RequestTransform", "transformed_examples", "train"),
            eval_files=_files(run, "RequestTransform", "transformed_examples", "eval"),
            catalogue_files=_files(run, "CatalogueTransform", "transformed_examples", "train"),
        ),
        test_files=_files(run, "RequestTransform", "transformed_examples", judging),
        test_request_files=_files(run, "RequestExampleGen", "examples", judging),
        raw_catalogue_files=_files(run, "CatalogueExampleGen", "examples", "train"),
        num_train_requests=int(run.properties["RequestExampleGen.train.num_examples"]),
        num_test_requests=int(run.properties[f"RequestExampleGen.{judging}.num_examples"]),
    )


def _output(run: PipelineRun, component: str, output: str) -> str:
    return next(each.outputs[output] for each in run.components if each.component == component)


def _files(run: PipelineRun, component: str, output: str, split: str) -> tuple[str, ...]:
    folder = Path(_output(run, component, output)) / f"Split-{split}"
    return tuple(str(path) for path in sorted(folder.iterdir()) if path.is_file())
