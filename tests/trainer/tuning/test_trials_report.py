from xml.etree import ElementTree

from trainer.tuning.config import Choice, Float, TuningConfig
from trainer.tuning.trial_record import TrialRecord
from trainer.tuning.trials_report import trials_csv, trials_plot

TUNING = TuningConfig((Float("learning_rate", 1e-4, 1.0, "log"), Choice("stages.1.tower.hidden_units", ("64,32", "8"))))
RECORDS = [
    TrialRecord({"learning_rate": 0.001, "stages.1.tower.hidden_units": "64,32"}, 0.5, 2, 10.04),
    TrialRecord(
        {"learning_rate": 1.0, "stages.1.tower.hidden_units": "8"}, duration_s=3.0, failure="Training diverged"
    ),
    TrialRecord({"learning_rate": 0.01, "stages.1.tower.hidden_units": "8"}, 0.75, 1, 9.96),
    TrialRecord({"learning_rate": 0.02, "stages.1.tower.hidden_units": "8"}, 0.5, 1, 9.0),
]


def test_table_has_the_best_first_and_the_failed_last():
    assert trials_csv(RECORDS).splitlines() == [
        "trial,val_end_to_end_recall,best_epoch,duration_s,learning_rate,stages.1.tower.hidden_units,failure",
        "3,0.75,1,10.0,0.01,8,",
        '1,0.5,2,10.0,0.001,"64,32",',
        "4,0.5,1,9.0,0.02,8,",
        "2,,,3.0,1.0,8,Training diverged",
    ]


def test_picture_has_every_key():
    svg = trials_plot(RECORDS, TUNING)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "<!-- learning_rate -->" in svg
    assert "<!-- stages.1.tower.hidden_units -->" in svg


def test_record_is_read_as_it_was_written(tmp_path):
    for record in RECORDS:
        record.write(tmp_path / "trial.json")
        assert TrialRecord.read(tmp_path / "trial.json") == record
    assert [path.name for path in tmp_path.iterdir()] == ["trial.json"]


def test_record_that_is_missing_or_damaged_is_none(tmp_path):
    assert TrialRecord.read(tmp_path / "trial.json") is None
    (tmp_path / "trial.json").write_text('{"values": {')
    assert TrialRecord.read(tmp_path / "trial.json") is None
