"""What the command lines of the benchmarks share."""

from collections.abc import Collection

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
