import json
from pathlib import Path

import pytest

from components.cascade_evaluator.pushed_release import candidate_layout
from serving.release.manifest import ReleaseError, Stage
from serving.release.push import push
from serving.release.store import ReleaseStore


def test_a_pushed_release_is_laid_out_as_a_candidate(base, tmp_path):
    models = {name: tmp_path / name for name in ("retrieval", "ranking", "cascade")}
    for name, folder in models.items():
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text(name)
        (folder / "variables" / "variables.index").write_text(f"{name} index")
    version = push(models, base, stages=[Stage("retrieval", 20), Stage("ranking", 10)]).version
    with candidate_layout(
        ReleaseStore(base), version, ground_truth_stage=2, list_capacities={"ranking": 3}
    ) as models_dir:
        outline = json.loads((Path(models_dir).parent / "manifest.json").read_text())
        assert outline == {
            "stages": [
                {"name": "retrieval", "capacity": 20, "list_capacity": None},
                {"name": "ranking", "capacity": 10, "list_capacity": 3},
            ],
            "features": {"ground_truth_stage": 2},
        }
        for name in models:
            assert (Path(models_dir) / name / "saved_model.pb").read_text() == name
            assert (Path(models_dir) / name / "variables" / "variables.index").read_text() == f"{name} index"
    assert not Path(models_dir).exists()
    assert ReleaseStore(base).verify(version).version == version


def test_a_release_that_is_not_there(base):
    with (
        pytest.raises(ReleaseError, match=f"No release 5 under {base}"),
        candidate_layout(ReleaseStore(base), 5, ground_truth_stage=2),
    ):
        pass
