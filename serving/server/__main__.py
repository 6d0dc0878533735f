"""`python -m serving.server`: the model server with TF Serving's flags."""

import logging
import sys
from collections.abc import Sequence

from serving.server.flags import parse_flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM; returns the exit code."""
    flags = parse_flags(arguments)
    from serving.server.program import StartError, run, version_text  # takes seconds: wrong flags end sooner

    if flags.version:
        print(version_text())
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        run(flags)
    except StartError as error:
        print(f"Failed to start server. Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
