import dataclasses
import json

import pytest

from serving.release.manifest import Manifest, ReleaseError, Stage

MANIFEST = Manifest(
    version=7,
    stages=(Stage("retrieval", 200), Stage("prerank", 100), Stage("ranking", 50)),
    checksums={name: {"saved_model.pb": "00"} for name in ("cascade", "prerank", "ranking", "retrieval")},
    created_time="2022-05-08T12:00:00+00:00",
    metrics={"recall@100": 0.5},
    schema={"request": [{"name": "tab", "kind": "categorical"}], "history_size": 50},
    data_span=("2022-04-09", "2022-04-28"),
    git_commit="abc",
    lock_hash="def",
    rollback_of=5,
)


def test_json_round_trip():
    assert Manifest.from_json(MANIFEST.to_json(), "7.json") == MANIFEST
    bare = Manifest(7, MANIFEST.stages, MANIFEST.checksums, MANIFEST.created_time)
    assert Manifest.from_json(bare.to_json(), "7.json") == bare


def test_a_manifest_from_before_a_field_was_there_is_read():
    fields = json.loads(MANIFEST.to_json())
    del fields["schema"], fields["rollback_of"]
    assert Manifest.from_json(json.dumps(fields), "7.json") == dataclasses.replace(
        MANIFEST, schema=None, rollback_of=None
    )


def test_models_are_ordered_from_the_last_stage_to_retrieval():
    assert MANIFEST.models == ("ranking", "prerank", "cascade", "retrieval")


def test_fingerprint_is_of_the_content_alone():
    assert dataclasses.replace(MANIFEST, version=8, metrics={}).fingerprint == MANIFEST.fingerprint
    changed = MANIFEST.checksums | {"ranking": {"saved_model.pb": "01"}}
    assert dataclasses.replace(MANIFEST, checksums=changed).fingerprint != MANIFEST.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 7', '"version": "7"', 'wrong value type for field "version" - should be "int"'),
        ('"version": 7', '"version": 0', "`version` must be positive. Received: version=0"),
        ('"version": 7,', "", 'missing value for field "version"'),
        ('"metrics"', '"metricks"', 'can not match "metricks" to any data class field'),
        ('"capacity": 200', '"capacity": 0', "`capacity` of stage 'retrieval' must be positive. Received: 0"),
        ('"name": "prerank"', '"name": "ranking"', "distinct names. Received: ['retrieval', 'ranking', 'ranking']"),
        ('"name": "prerank"', '"name": "middle"', "`checksums` must hold every stage. Missing: ['middle']"),
        ('"saved_model.pb": "00"', '"saved_model.pb": "11"', "`fingerprint` must be "),
        ('"2022-04-09"', "20220409", 'wrong value type for field "data_span"'),
        ("{", "[", "Expecting"),
        ('"format": 1', '"format": 7', "`format` must be 1. Received: 7. Read it with the lcron that wrote it"),
    ],
)
def test_damaged_json_is_refused_by_name(old, new, message):
    with pytest.raises(ReleaseError) as caught:
        Manifest.from_json(MANIFEST.to_json().replace(old, new, 1), "releases/7.json")
    assert str(caught.value).startswith("releases/7.json is no release manifest: ")
    assert message in str(caught.value)


def test_json_that_is_no_object():
    with pytest.raises(ReleaseError, match=r"a JSON object is expected\. Received: list"):
        Manifest.from_json("[]", "7.json")
