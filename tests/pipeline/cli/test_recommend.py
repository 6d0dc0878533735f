import pytest
from click.testing import CliRunner

from pipeline.cli.logged_requests import as_request
from pipeline.cli.recommend import recommend
from trainer.data.features import Categorical, FeatureSpec, HistoryFeature, Timestamp

FEATURES = FeatureSpec(
    request=(Categorical("user_id"), Categorical("age", dtype="int64"), Categorical("city"), Timestamp("seen_ms")),
    history=(HistoryFeature("grade", cardinality=3),),
)
RECORD = {
    "request_id": ["r1"],
    "user_id": ["u1"],
    "request_time_ms": [5],
    "age": [30],
    "city": [],
    "device": ["d1"],
    "history_item_id": ["i1", "i2"],
    "history_grade": [0, 2],
    "history_age_days": [9, 8],
    "exclude_item_id": ["i1"],
    "candidate_item_id": ["i3"],
}


def test_a_logged_request_is_asked_with_what_the_model_reads():
    request = as_request(RECORD, FEATURES, k=3, exclude=["i9"])
    assert (request.user, request.k, request.exclude) == ("u1", 3, ["i1", "i9"])
    assert request.context == {"age": 30, "request_time_ms": 5}
    assert request.history == {"item_id": ["i1", "i2"], "grade": [0, 2]}


def test_a_logged_request_without_history():
    record = {name: RECORD[name] for name in ("request_id", "user_id", "request_time_ms")}
    request = as_request(record, FEATURES, k=3)
    assert (request.history, request.exclude) == ({"item_id": (), "grade": ()}, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --target or --base"),
        (["--base", ".", "--tls"], "TLS is for a --target: the server over --base talks plain text on this machine"),
        (["--base", ".", "--server-name", "x"], "TLS is for a --target"),
        (["--base", ".", "--label", "canary"], "--label is for a --target: the server over --base answers with"),
        (["--target", "h:1", "--ca-file", "nowhere.pem"], "File 'nowhere.pem' does not exist"),
        (["--target", "h:1", "--deadline-s", "0"], "0.0 is not in the range x>0"),
    ],
)
def test_wrong_command_lines(tmp_path, arguments, message):
    result = CliRunner().invoke(recommend, ["--config", "demo", "--data", str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
