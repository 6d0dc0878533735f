import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from trainer.monitoring.hparams import flat_hparams
from trainer.monitoring.kept_logs import KeptLogs
from trainer.monitoring.layout import cascade_layout
from trainer.monitoring.survival_bound import survival_bound
from trainer.monitoring.tensorboard import SummaryWriters

STAGES = ("retrieval", "ranking")


class Killed(BaseException):
    """The process is gone."""


class KillAfter(tf.keras.callbacks.Callback):
    """Kills in the step after `step`."""

    def __init__(self, step):
        super().__init__()
        self._left = step

    def on_train_batch_end(self, batch, logs):
        self._left -= 1
        if self._left < 0:
            raise Killed


def read(folder):
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


def curve(events, tag):
    return [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in events.Tensors(tag)]


@pytest.fixture(scope="module")
def finished(start_run, tmp_path_factory):
    """The logs of a run that was killed in its second epoch and finished in another folder, its state and its lines."""
    folder, lines = tmp_path_factory.mktemp("logs"), []
    with pytest.raises(Killed):
        start_run()(folder / "killed", KillAfter(5), store_dir=folder / "store")
    for split in ("train", "validation"):  # the pipeline removes the folder of a killed execution
        shutil.rmtree(folder / "killed" / split)
    run = start_run()
    state = run(folder / "second", store_dir=folder / "store", profile=True, report=lines.append)
    weights = [variable.numpy() for variable in run.model.training_variables]
    return folder / "second", run, state, lines, weights


def test_curves_are_those_of_the_whole_run(finished):
    folder, _, state, _, _ = finished
    train, validation = read(folder / "train"), read(folder / "validation")
    for tag in ("loss/total", "loss/end_to_end", "loss/retrieval_catalogue", "loss_weight/ranking", "recall/retrieval"):
        assert [step for step, _ in curve(train, tag)] == [1, 4, 8]
        assert [step for step, _ in curve(validation, tag)] == [4, 8]
    assert [value for _, value in curve(validation, "recall/end_to_end")] == pytest.approx(
        [epoch.validation["end_to_end_recall"] for epoch in state.epochs]
    )
    assert curve(train, "loss/total")[-1][1] == pytest.approx(state.epochs[-1].train["total_loss"])
    for group in ("global", "loss_weights", *STAGES):
        ((step, norm),) = curve(train, f"gradient_norm/{group}")
        assert step == 1
        assert norm > 0
    assert [step for step, _ in curve(train, "speed/step_s")] == [4, 8]
    assert all(0 <= share <= 1 for _, share in curve(train, "speed/waiting_share"))


def test_survivals_and_bound_are_those_of_the_model(finished):
    folder, run, _, _, weights = finished
    for variable, value in zip(run.model.training_variables, weights, strict=True):
        variable.assign(value)
    events = read(folder / "validation")
    batch = next(iter(run.eval_batches.epoch()))
    scores = run.model.score(batch)
    heads = [survival.head for survival in run.model.cascade_loss.list_survivals(scores, batch)]
    bound = survival_bound(heads, scores, batch["ground_truth"], where=batch["where"], capacities=[4, 2])
    for name, value in bound._asdict().items():
        assert curve(events, f"bound/{name}")[-1] == (8, pytest.approx(float(value), rel=1e-4))
    assert curve(events, "bound/cascade_survival")[-1] == curve(events, "recall/end_to_end")[-1]

    product = heads[0] * heads[1]
    for stage, head in zip((*STAGES, "end_to_end"), (*heads, product), strict=True):
        for name, mask in (
            ("ground_truth", batch["ground_truth"]),
            ("rest", batch["where"] & ~batch["ground_truth"]),
        ):
            expected = tf.boolean_mask(head, mask).numpy()
            buckets = tf.make_ndarray(events.Tensors(f"survival/{stage}/{name}")[-1].tensor_proto)
            assert buckets[:, 2].sum() == len(expected)
            assert (buckets[0, 0], buckets[-1, 1]) == pytest.approx((expected.min(), expected.max()), rel=1e-4)
    steps = [event.step for event in read(folder / "train").Tensors("survival/ranking/rest")]
    assert steps == [1]


def test_survivals_are_at_the_list_capacity(start_run):
    run = start_run()
    batch = next(iter(run.eval_batches.epoch()))
    scores = [1e6 * each for each in run.model.score(batch)]  # as good as hard
    heads = [survival.head for survival in run.model.cascade_loss.list_survivals(scores, batch)]
    sizes = np.sum(batch["where"], axis=-1)
    for head, capacity in zip(heads, (4, 2), strict=True):
        np.testing.assert_allclose(np.sum(head, axis=-1), np.minimum(sizes, capacity), atol=0.1)


def test_layout_opens_on_the_cascade_and_names_tags_that_there_are(finished):
    folder, run, _, _, _ = finished
    (event,) = read(folder).Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    assert layout == cascade_layout(run.model)
    assert [category.title for category in layout.category] == [
        "end to end",
        "stages",
        "losses",
        "bound",
        "gradients",
        "speed",
    ]
    written = [tag for split in ("train", "validation") for tag in read(folder / split).Tags()["tensors"]]
    patterns = [tag for category in layout.category for chart in category.chart for tag in chart.multiline.tag]
    for pattern in patterns:
        assert [tag for tag in written if re.match(pattern, tag)], pattern
    shown = {tag for tag in written if any(re.match(pattern, tag) for pattern in patterns)}
    assert {tag for tag in written if not tag.startswith("survival/")} == shown


def test_hparams_hold_settings_and_what_came_of_them(finished):
    folder, run, state, _, _ = finished
    events = read(folder)

    def content(tag):
        metadata = events.SummaryMetadata(tag)
        return plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)

    start = content("_hparams_/session_start_info").session_start_info
    settings = flat_hparams(run.model.config)
    assert set(start.hparams) == set(settings)
    assert start.hparams["learning_rate"].number_value == settings["learning_rate"]
    assert start.hparams["stages.0.tower"].string_value == "dssm"
    assert content("_hparams_/session_end_info").session_end_info.status == api_pb2.STATUS_SUCCESS
    metrics = [metric.name.tag for metric in content("_hparams_/experiment").experiment.metric_infos]
    assert "final/recall/end_to_end" in metrics
    for tag in metrics:
        assert len(curve(events, tag)) == 1
    kept = state.epochs[0].validation
    assert curve(events, "final/recall/ranking") == [(0, pytest.approx(kept["ranking_recall"]))]
    assert curve(events, "final/epoch") == [(0, 1.0)]


def test_a_run_too_short_for_a_profile_says_so(finished):
    folder, _, _, lines, _ = finished
    assert lines == ["no profile: it starts after 10 steps, and the run made 3 in this process"]
    assert not (folder / "plugins").exists()


def test_a_killed_run_is_marked(finished):
    metadata = read(finished[0].parent / "killed").SummaryMetadata("_hparams_/session_end_info")
    end = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content).session_end_info
    assert end.status == api_pb2.STATUS_FAILURE


@pytest.mark.parametrize(("step", "steps"), [(0, []), (3, [1, 2, 3])])
def test_curves_are_continued_up_to_the_checkpoint(tmp_path, step, steps):
    kept_dir, first_dir = tmp_path / "kept", str(tmp_path / "first")
    model = tf.keras.Sequential()
    model.compile(tf.keras.optimizers.Adam())
    for folder, iterations in ((first_dir, 0), (str(tmp_path / "second"), step)):
        writers = SummaryWriters(folder)
        model.optimizer.iterations.assign(iterations)
        callback = KeptLogs(folder, kept_dir, pytest.fail)
        callback.set_model(model)
        callback.on_train_begin()
        if folder == first_dir:
            with writers.train.as_default():
                for number in range(1, 6):
                    tf.summary.scalar("value", 10.0 * number, number)
        writers.close()
        if folder == first_dir:
            (path,) = (tmp_path / "first" / "train").iterdir()
            path.open("ab").write(b"half a record")  # the link sees it
            shutil.rmtree(folder)
    events = read(tmp_path / "second" / "train")
    assert events.Tags()["tensors"] == (["value"] if steps else [])
    if steps:
        assert curve(events, "value") == [(number, 10.0 * number) for number in steps]


def test_logs_that_cannot_be_linked_are_reported(tmp_path):
    (tmp_path / "kept").write_text("no folder")
    lines = []
    writers = SummaryWriters(str(tmp_path / "logs"))
    model = tf.keras.Sequential()
    model.compile()
    callback = KeptLogs(str(tmp_path / "logs"), tmp_path / "kept", lines.append)
    callback.set_model(model)
    callback.on_train_begin()
    writers.close()
    assert lines[0].startswith("warning: the curves of this run end if it is killed: ")
