import os

import pytest

from components.cascade_evaluator.pushed_subject import pushed_subject
from serving.release.files import any_path
from serving.release.manifest import ReleaseError, Stage
from serving.release.push import push
from serving.release.store import ReleaseStore
from trainer.evaluation import subject


def test_a_pushed_release_is_evaluated_where_it_lies(base, tmp_path):
    models = {name: tmp_path / name for name in ("retrieval", "ranking", "cascade")}
    for name, folder in models.items():
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text(name)
        (folder / "variables" / "variables.index").write_text(f"{name} index")
    manifest = push(models, base, stages=[Stage("retrieval", 20), Stage("ranking", 10)])
    found = pushed_subject(ReleaseStore(base), manifest, ground_truth_stage=2, list_capacities={"ranking": 3})
    assert found.stages == (subject.Stage("retrieval", 20, None), subject.Stage("ranking", 10, 3))
    assert found.ground_truth_stage == 2
    assert found.model_dirs == {
        name: os.fspath(base / name / str(manifest.version)) for name in ("retrieval", "ranking")
    }
    for name, folder in found.model_dirs.items():
        assert (any_path(folder) / "saved_model.pb").read_text() == name


def test_a_release_that_is_not_there(base):
    with pytest.raises(ReleaseError, match=f"No release 5 under {base}"):
        pushed_subject(ReleaseStore(base), ReleaseStore(base).read(5), ground_truth_stage=2)
