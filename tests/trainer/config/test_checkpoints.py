import pytest

from trainer.config.checkpoints import CheckpointConfig


@pytest.mark.parametrize("name", ["interval_s", "interval_steps", "num_kept"])
def test_values_must_be_positive(name):
    with pytest.raises(ValueError, match=rf"`{name}` must be positive\. Received: {name}=0"):
        CheckpointConfig(**{name: 0})


def test_intervals_can_be_left_out():
    assert CheckpointConfig(interval_s=None, interval_steps=None).num_kept == 2
