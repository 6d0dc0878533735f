import resource

import numpy as np
import pytest

from trainer.training.checkpoints.checkpoint_file import CheckpointError
from trainer.training.checkpoints.run_state import RunState
from trainer.training.checkpoints.store import CheckpointStore


def save(store: CheckpointStore, *steps: int) -> None:
    for step in steps:
        store.save(step, RunState(step=step), {"weights": np.full(3, step)})


def test_the_last_ones_are_kept(tmp_path):
    store = CheckpointStore(tmp_path / "run", num_kept=2)
    save(store, 5, 10, 100_000_000_001)
    assert [path.name for path in store.paths()] == ["step-000000000010.npz", "step-100000000001.npz"]
    state, arrays = store.latest(pytest.fail)
    assert state.step == 100_000_000_001
    assert arrays["weights"].tolist() == [100_000_000_001] * 3


def test_no_checkpoint(tmp_path):
    assert CheckpointStore(tmp_path, num_kept=2).latest(pytest.fail) is None


def test_a_damaged_checkpoint_is_skipped_for_the_one_before(tmp_path):
    store = CheckpointStore(tmp_path, num_kept=3)
    save(store, 1, 2, 3)
    for path in store.paths()[1:]:
        path.write_bytes(path.read_bytes()[:50])
    lines: list[str] = []
    assert store.latest(lines.append)[0].step == 1
    assert [line.partition(" cannot be read")[0] for line in lines] == [
        f"warning: skipped a damaged checkpoint: {tmp_path}/step-00000000000{step}.npz" for step in (3, 2)
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-000000000001.npz",
        "step-000000000002.npz.damaged",
        "step-000000000003.npz.damaged",
    ]


def test_a_damaged_checkpoint_takes_no_place_of_one_that_is_whole(tmp_path):
    store = CheckpointStore(tmp_path, num_kept=1)
    save(store, 100)
    store.paths()[0].write_bytes(b"damaged")
    assert store.latest(lambda line: None) is None
    save(store, 50)
    assert store.latest(pytest.fail)[0].step == 50


def test_a_checkpoint_that_cannot_be_read_now_stays_and_is_one_clear_error(tmp_path):
    store = CheckpointStore(tmp_path, num_kept=2)
    save(store, 1)
    newest = tmp_path / "step-000000000002.npz"
    newest.symlink_to("/proc/self/mem")  # opens, and is an error of input and output to read
    message = (
        rf"^The checkpoint {newest} cannot be read now: Input/output error\. It stays as it is\. "
        r"Mend that and run again to go on from there$"
    )
    with pytest.raises(CheckpointError, match=message):
        store.latest(pytest.fail)
    assert [path.name for path in store.paths()] == ["step-000000000001.npz", "step-000000000002.npz"]


def test_a_half_written_checkpoint_is_cleared_away(tmp_path):
    save(CheckpointStore(tmp_path, num_kept=2), 1)
    (tmp_path / ".step-000000000002.npz.tmp").write_bytes(b"half")
    store = CheckpointStore(tmp_path, num_kept=2)
    assert store.latest(pytest.fail)[0].step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000000001.npz"]


def test_a_full_disk_is_one_clear_error_and_the_last_good_checkpoint_stays(tmp_path):
    store = CheckpointStore(tmp_path, num_kept=1)
    save(store, 1200)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    message = (
        rf"The checkpoint of step 1,300 cannot be written to {tmp_path}: File too large\. "
        r"The last good one is step-000000001200\.npz\. Mend that and run again to go on from there"
    )
    try:
        with pytest.raises(CheckpointError, match=message):
            store.save(1300, RunState(step=1300), {"weights": np.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.latest(pytest.fail)[0].step == 1200


def test_clear_removes_the_folder(tmp_path):
    store = CheckpointStore(tmp_path / "run", num_kept=1)
    save(store, 1)
    store.clear()
    assert list(tmp_path.iterdir()) == []
