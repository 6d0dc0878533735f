import dataclasses
import json
import signal
from pathlib import Path

import pytest
from new_process import NewProcess

from trainer.config.json_text import to_json
from trainer.config.losses import Icc
from trainer.tuning.config import Choice, Float, TuningConfig
from trainer.tuning.tune import TuningError, tune

BEST = "val_end_to_end_recall"


@pytest.fixture(scope="module")
def searched(transformed_data, tiny_config, tiny_tuning, tmp_path_factory):
    """Folder, tuner and lines of a search that nobody disturbed."""
    folder, lines = tmp_path_factory.mktemp("tuning"), []
    return folder, run(transformed_data, tiny_config, tiny_tuning, folder, lines), lines


def run(data, config, tuning, folder, lines):
    return tune(config, data.features, tuning, data.training_files, state_dir=str(folder), report=lines.append)


def outcomes(tuner):
    return [(record.values, record.objective, record.best_epoch, record.failure) for record in tuner.records]


def test_every_trial_is_trained_and_the_best_is_known(searched, tiny_tuning):
    _, tuner, _ = searched
    assert len(tuner.records) == 2
    for record in tuner.records:
        assert all(part.holds(record.values[part.key]) for part in tiny_tuning.search_space)
        assert 0 < record.objective <= 1
        assert record.best_epoch in (1, 2)
        assert record.duration_s > 0
    assert len({json.dumps(record.values) for record in tuner.records}) == 2
    assert tuner.best.objective == max(record.objective for record in tuner.records)
    assert tuner.get_best_hyperparameters()[0].values == tuner.best.values


def test_the_first_trial_is_the_configuration(searched):
    _, tuner, _ = searched
    assert tuner.records[0].values == {"learning_rate": 1e-2, "stages.1.tower.hidden_units": "8"}


def test_lines_tell_what_happens(searched):
    folder, tuner, lines = searched
    (state,) = folder.iterdir()
    assert lines[0].startswith("read 80 training and 20 evaluation requests, 60 items in ")
    assert f"up to 2 trials on 80 training requests, state in {state}" in lines
    assert "trial 1/2: learning_rate=0.01, stages.1.tower.hidden_units=8" in lines
    assert any(line.startswith("  epoch 2/2: loss ") for line in lines)
    first = tuner.records[0]
    (line,) = (line for line in lines if line.startswith(f"trial 1/2: {BEST} "))
    assert line.startswith(f"trial 1/2: {BEST} {first.objective:.4f} at epoch {first.best_epoch}, ")
    assert f", best {first.objective:.4f} of trial 1, ETA " in line
    (line,) = (line for line in lines if line.startswith(f"trial 2/2: {BEST} "))
    assert "ETA" not in line
    values = " ".join(f"--set trainer.{key}={value}" for key, value in tuner.best.values.items())
    number = tuner.records.index(tuner.best) + 1
    assert lines[-1] == f"best: {BEST} {tuner.best.objective:.4f} of trial {number}; to keep its values: {values}"


def test_no_checkpoint_is_left(searched):
    folder, _, _ = searched
    assert list(folder.rglob("*.npz")) == []
    assert len(list(folder.glob("*/trial_*/trial.json"))) == 2


def test_a_killed_search_keeps_its_trials_and_goes_on(searched, transformed_data, tiny_config, tiny_tuning, tmp_path):
    _, whole, _ = searched
    arguments = {
        "config": to_json(tiny_config),
        "features": to_json(transformed_data.features),
        "tuning": to_json(tiny_tuning),
        "state_dir": str(tmp_path / "state"),
        "files": to_json(transformed_data.training_files),
    }
    (tmp_path / "arguments.json").write_text(json.dumps(arguments))
    script, log = Path(__file__).with_name("killed_tuning.py"), tmp_path / "log"
    process = NewProcess(script, [str(tmp_path / "arguments.json")], log)
    assert process.wait() == -signal.SIGKILL, log.read_text()
    assert len(list(tmp_path.glob("state/*/trial_*/trial.json"))) == 1

    lines: list[str] = []
    tuner = run(transformed_data, tiny_config, tiny_tuning, tmp_path / "state", lines)
    assert outcomes(tuner) == outcomes(whole)
    assert any(line.startswith(f"trial 1/2: {BEST} ") and ", as found before, " in line for line in lines)
    (goes_on,) = (number for number, line in enumerate(lines) if line.startswith("  goes on at epoch 2 step "))
    assert any(line.startswith("trial 2/2: ") for line in lines[:goes_on])


def test_a_longer_search_keeps_the_trials_of_the_shorter(searched, transformed_data, tiny_config, tiny_tuning):
    folder, shorter, _ = searched
    lines: list[str] = []
    tuner = run(transformed_data, tiny_config, dataclasses.replace(tiny_tuning, num_trials=3), folder, lines)
    assert outcomes(tuner)[:2] == outcomes(shorter)
    assert sum(", as found before" in line for line in lines) == 2
    assert len(tuner.records) == 3


def test_a_trial_that_diverges_fails_alone(transformed_data, tiny_config, tmp_path):
    tuning = TuningConfig(
        (Choice("learning_rate", (1e-2, 1e38)),), num_trials=2, epochs=1, max_requests=40, strategy="random"
    )
    lines: list[str] = []
    tuner = run(transformed_data, tiny_config, tuning, tmp_path, lines)
    good, bad = tuner.records
    assert "up to 2 trials on 40 training requests" in lines[2]
    assert (good.values, bad.values) == ({"learning_rate": 1e-2}, {"learning_rate": 1e38})
    assert bad.failure.startswith("Training diverged: ")
    assert any(line.startswith("trial 2/2: failed: Training diverged: ") for line in lines)
    assert (bad.objective, tuner.best) == (None, good)
    assert tuner.get_best_hyperparameters()[0].values == good.values


def test_values_that_do_not_fit_each_other_fail_and_a_search_of_such_is_an_error(
    transformed_data, tiny_config, tmp_path
):
    config = dataclasses.replace(tiny_config, loss=dataclasses.replace(tiny_config.loss, method=Icc()))
    space = (  # each fits the configuration on its own, and no two of them each other
        Choice("loss.method", ("bce", "ranking")),
        Choice("loss.method.stage_weights", ("1,1", "1,2")),
    )
    lines: list[str] = []
    with pytest.raises(
        TuningError, match=r"All 4 trials failed, the last since: There is no key `loss.method.stage_weights`"
    ):
        run(transformed_data, config, TuningConfig(space, num_trials=4), tmp_path, lines)
    assert sum(": failed: " in line for line in lines) == 4
    assert list(tmp_path.glob("*/trial_*")) == []


def test_an_unknown_key_is_refused_before_anything_is_read(transformed_data, tiny_config, tmp_path):
    tuning = TuningConfig((Float("learning_rat", 0.1, 0.2),))
    lines: list[str] = []
    with pytest.raises(ValueError, match=r"There is no key `learning_rat`. Did you mean `learning_rate`"):
        run(transformed_data, tiny_config, tuning, tmp_path, lines)
    assert lines == []
