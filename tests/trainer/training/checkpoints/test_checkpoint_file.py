import dataclasses
import os
import resource

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.release.training_record import EpochRecord
from trainer.training.checkpoints.checkpoint_file import DamagedCheckpointError, read_checkpoint, write_checkpoint
from trainer.training.checkpoints.run_state import RunState

STATE = RunState(1, 3, (EpochRecord(1, 2.5, {"total_loss": 0.1 + 0.2}, {"end_to_end_recall": 0.25}),), 4.0, 1.5)
ARRAYS = {
    "weights": np.arange(12, dtype=np.float32).reshape(3, 4),
    "scalar": np.array(7, np.int64),
    "mask": np.array([True, False]),
    "none": np.zeros([0, 4], np.float16),
}


def assert_equal(arrays, expected):
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def test_what_was_written_is_read(tmp_path):
    write_checkpoint(tmp_path / "a.npz", STATE, ARRAYS)
    state, arrays = read_checkpoint(tmp_path / "a.npz")
    assert state == STATE
    assert_equal(arrays, ARRAYS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_means_nothing(tmp_path, position, bit):
    path = tmp_path / "a.npz"
    write_checkpoint(path, STATE, ARRAYS)
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        state, arrays = read_checkpoint(path)
    except DamagedCheckpointError:
        return
    assert state == STATE
    assert_equal(arrays, ARRAYS)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_refused(tmp_path, share):
    path = tmp_path / "a.npz"
    write_checkpoint(path, STATE, ARRAYS)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DamagedCheckpointError, match=r"a\.npz cannot be read: "):
        read_checkpoint(path)


def test_an_encrypted_array_is_damage(tmp_path):
    path = tmp_path / "a.npz"
    write_checkpoint(path, STATE, ARRAYS)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] ^= 1  # the flag of the first entry in the directory
    path.write_bytes(content)
    with pytest.raises(DamagedCheckpointError, match=r"a\.npz cannot be read: "):
        read_checkpoint(path)


def test_a_missing_file_is_not_taken_for_a_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz"):
        read_checkpoint(tmp_path / "nothing.npz")


def test_a_file_that_cannot_be_opened_now_is_not_taken_for_a_damaged_one(tmp_path):
    path = tmp_path / "a.npz"
    write_checkpoint(path, STATE, ARRAYS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            read_checkpoint(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert read_checkpoint(path)[0] == STATE


def test_a_file_that_does_not_fit_on_the_disk_leaves_the_one_before(tmp_path):
    path = tmp_path / "a.npz"
    write_checkpoint(path, STATE, ARRAYS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_checkpoint(path, dataclasses.replace(STATE, step=9), {"weights": np.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_checkpoint(path)[0] == STATE
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
