"""`python -m serving.server`: the model server with TF Serving's flags."""

import logging
import sys
from collections.abc import Sequence

from serving.server.messages import TextMessageError
from serving.server.models.model_config import ModelConfigError
from serving.server.options import ServeError
from serving.server.program.flags import parse_flags
from serving.server.program.settings import read_settings


def main(arguments: Sequence[str] | None = None, *, program: str = "python -m serving.server") -> int:
    """Serves until SIGTERM; returns the exit code."""
    flags = parse_flags(arguments, program=program)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = None if flags.version else read_settings(flags)
        from serving.server.program.run import run, version_text  # TensorFlow takes seconds: what is wrong ends sooner

        if settings is None:
            print(version_text())
        else:
            run(settings)
    except (ModelConfigError, TextMessageError, ServeError) as error:
        print(f"Failed to start server. Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
