import pytest

from components.cascade_trainer.warm_start import find_warm_start
from serving.release.manifest import Stage
from serving.release.push import push


def write_cascade(folder):
    (folder / "assets.extra" / "warm_start").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("cascade")
    return folder


def test_nothing_to_start_from(tmp_path):
    assert find_warm_start("", str(tmp_path)) is None
    assert find_warm_start("last_release", str(tmp_path / "serving")) is None


def test_the_last_release_carries_its_weights(tmp_path, base):
    models = {"cascade": write_cascade(tmp_path / "cascade"), "retrieval": write_cascade(tmp_path / "retrieval")}
    manifest = push(models, base, stages=[Stage("retrieval", 5)])
    assert find_warm_start("last_release", str(base)) == str(base / "cascade" / str(manifest.version))


@pytest.mark.parametrize("setting", [".", "models/cascade"])
def test_a_candidate_or_its_cascade(tmp_path, setting):
    cascade = write_cascade(tmp_path / "models" / "cascade")
    assert find_warm_start(str(tmp_path / setting), "") == str(cascade)


def test_a_folder_that_holds_neither_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"`warm_start` must be 'last_release', or the folder of a candidate.*Received"
    ):
        find_warm_start(str(tmp_path), "")
