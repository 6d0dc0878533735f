import pytest
import tensorflow as tf

from trainer.monitoring.speed import Speed
from trainer.monitoring.tensorboard import IntervalCallback, SummaryWriters


def test_time_and_waiting_share_are_means_since_the_last_point(tmp_path):
    """Steps take 2 s, of which 0.5 s go by waiting; the clock starts after the first of each epoch."""
    clock = iter([100.0, 104.0, 106.0, 200.0, 204.0])
    writers = SummaryWriters(str(tmp_path))
    speed = Speed(writers, interval_steps=2, clock=lambda: next(clock))
    speed.set_params({"steps": 4})
    for epoch, last in ((0, 4), (1, 3)):  # the second epoch is cut
        speed.on_epoch_begin(epoch)
        for batch in range(last):
            speed.on_train_batch_end(batch, {"total_loss": tf.constant(1.0), "waiting_s": 0.5 * (batch + 1)})
    writers.close()
    values = {}
    for path in (tmp_path / "train").iterdir():
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                values[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    points = {step for _, step in values}
    assert points == {3, 4, 7}
    for step in points:
        assert values["speed/step_s", step] == pytest.approx(2.0)
        assert values["speed/waiting_share", step] == pytest.approx(0.25)


def test_intervals_do_not_start_anew_with_an_epoch():
    callback = IntervalCallback(interval_steps=5)
    callback.set_params({"steps": 4})
    due = []
    for epoch in range(4):
        callback.on_epoch_begin(epoch)
        due += [callback.step(batch) for batch in range(4) if callback.is_due(batch)]
    assert due == [1, 6, 11, 16]


def test_an_interval_is_at_least_one_step():
    with pytest.raises(ValueError, match=r"`interval_steps` must be at least 1\. Received: interval_steps=0"):
        IntervalCallback(interval_steps=0)
