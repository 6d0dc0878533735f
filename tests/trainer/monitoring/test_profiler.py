import tensorflow as tf

from trainer.monitoring.profiler import Profiler


def test_steps_after_the_first_ones_are_traced(tmp_path):
    lines = []
    profiler = Profiler(str(tmp_path), lines.append, num_warm_up_steps=2, num_steps=3)
    for batch in range(8):
        loss = tf.reduce_sum(tf.random.stateless_uniform([8], [1, batch]))
        profiler.on_train_batch_end(batch, {"total_loss": loss})
    profiler.on_train_end()
    assert lines == [f"profiled 3 steps: tensorboard --logdir {tmp_path}"]
    (trace,) = (tmp_path / "plugins" / "profile").glob("*/*.xplane.pb")
    content = trace.read_bytes()
    assert b"train" in content
    assert b"step_num" in content


def test_a_run_that_ends_in_the_trace_keeps_it(tmp_path):
    lines = []
    profiler = Profiler(str(tmp_path), lines.append, num_warm_up_steps=1, num_steps=3)
    for batch in range(2):
        profiler.on_train_batch_end(batch, {"total_loss": tf.constant(1.0)})
    profiler.on_train_end()
    assert lines == [f"profiled 1 steps: tensorboard --logdir {tmp_path}"]
    assert list((tmp_path / "plugins" / "profile").glob("*/*.xplane.pb"))
