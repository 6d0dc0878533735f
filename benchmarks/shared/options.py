"""What the command lines of the benchmarks share."""

import contextlib
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import click


def choose(names: str, known: Collection[str], option: str) -> list[str]:
    """Returns the comma-separated names of an option.

    Raises:
      click.BadParameter: there is none, or one is unknown.
    """
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    if not chosen or any(name not in known for name in chosen):
        raise click.BadParameter(f"must name some of {', '.join(known)}. Received: {names!r}", param_hint=option)
    return chosen


def numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    """Reads an option that is a comma-separated list of positive whole numbers, as its callback.

    Raises:
      click.BadParameter: it is none.
    """
    words = value.split(",")
    if not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        raise click.BadParameter(f"must be positive whole numbers with commas between them. Received: {value!r}")
    return [int(word) for word in words]


@contextlib.contextmanager
def work_folder(path: Path | None) -> Iterator[Path]:
    """Opens the folder that `--work` names, or else one that is gone afterwards."""
    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        path.mkdir(parents=True, exist_ok=True)
        yield path
