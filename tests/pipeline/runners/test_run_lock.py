import os

import pytest

from pipeline.runners.errors import RunInProgressError
from pipeline.runners.run_lock import run_lock


def test_second_run_is_refused_until_the_first_ends(tmp_path):
    database = tmp_path / "root" / "metadata.sqlite"
    with (
        run_lock(database),
        pytest.raises(RunInProgressError, match=rf"another run is in progress \(process {os.getpid()}\)"),
        run_lock(database),
    ):
        pass
    with run_lock(database):
        pass
