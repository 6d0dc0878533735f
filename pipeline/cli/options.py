"""Options and parameter types that several commands share."""

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.experiment import ExperimentConfig

config_option = click.option(
    "--config",
    "config_name",
    required=True,
    help="Experiment: demo, recflow_two_stage, recflow_three_stage, kuairand, gpu_smoke.",
)
smoke_option = click.option("--smoke", is_flag=True, help="The experiment's small variant.")
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override one value, e.g. trainer.epochs=3.",
)
data_option = click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the raw logs.",
)


class ReleaseBase(click.ParamType):
    """Where releases lie: a folder, or a path with a scheme, such as `gs://bucket/serving`, which is taken as it is.

    Args:
      exists: whether a folder must be there.
    """

    name = "folder or uri"

    def __init__(self, exists: bool = True):
        self._folder = click.Path(exists=exists, file_okay=False, path_type=str)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if "://" in value:
            quiet_libraries()  # TensorFlow reads it
            return value
        return str(self._folder.convert(value, param, ctx))


def experiment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options `--config`, `--smoke`, `--data` and `--set`."""
    for option in (set_option, data_option, smoke_option, config_option):
        command = option(command)
    return command


def load_experiment(
    config_name: str, smoke: bool, overrides: tuple[str, ...] = (), *, for_benchmark: bool = False
) -> "ExperimentConfig":
    """Returns the experiment that the options name; for a benchmark, with what its `benchmark` overrides first.

    Raises:
      click.UsageError: an unknown experiment, an unknown key or a value of the wrong type.
    """
    from pipeline.configs import load

    pairs = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise click.UsageError(f"--set expects KEY=VALUE. Received: {override!r}")
        pairs[key] = value
    with one_line_errors():
        experiment = load(config_name, smoke=smoke)
        protocol = experiment.benchmark.overrides if for_benchmark else {}
        experiment = experiment.with_overrides({**protocol, **pairs})
        experiment.check()
        return experiment


@contextlib.contextmanager
def one_line_errors(*failures: type[Exception]) -> Iterator[None]:
    """Turns what a user can mend into one line: a refused setting (`ValueError`) ends with exit code 2, bad data, files
    and `failures` with 1."""
    from sources.reading import DataError

    failed: tuple[type[Exception], ...] = (DataError, OSError, *failures)
    try:
        yield
    except failed as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def quiet_libraries() -> None:
    """Keeps the notices that libraries give while they are imported off the terminal; call it before the imports."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what goes wrong is said in an error of ours
    os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning,ignore::DeprecationWarning")  # of child processes
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    logging.getLogger().addHandler(logging.NullHandler())  # else the first notice adds a handler for the terminal


def log_to_stderr(name: str) -> None:
    """Shows what the modules of a package report while the command runs."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
