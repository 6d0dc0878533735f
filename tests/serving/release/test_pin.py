import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.release.manifest import ReleaseError
from serving.release.pin import Pin
from serving.release.pin_release import pin_release, unpin_release
from serving.release.push import push
from serving.release.serving_config import serving_config
from serving.release.store import ReleaseStore


def test_labels_and_versions():
    assert (Pin(7).labels, Pin(7).versions) == ({"stable": 7}, (7,))
    assert (Pin(7, 5).labels, Pin(7, 5).versions) == ({"stable": 7, "canary": 5}, (5, 7))
    assert Pin.from_json(Pin(7, 5).to_json(), "pin.json") == Pin(7, 5)
    with pytest.raises(
        ReleaseError, match=r"The canary must be another release than the stable one\. Received: 7 twice"
    ):
        Pin(7, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pin.json is no pin: Expecting value"),
        ("[7]", r"pin.json is no pin: a JSON object is expected. Received: list"),
        ("{}", 'pin.json is no pin: missing value for field "stable"'),
        ('{"stable": "7"}', 'wrong value type for field "stable" - should be "int"'),
        ('{"stable": 7, "beta": 8}', 'can not match "beta" to any data class field'),
        ('{"stable": 7, "canary": 7}', "pin.json is no pin: The canary must be another release"),
    ],
)
def test_damaged_json_is_refused(text, message):
    with pytest.raises(ReleaseError, match=message):
        Pin.from_json(text, "pin.json")


def test_pin_replace_and_unpin(base, write_models, stages):
    store = ReleaseStore(base)
    first, second = (push(write_models(c), store.base, stages=stages).version for c in "ab")
    assert store.pin() is None
    assert pin_release(store.base, first, canary=second) == store.pin() == Pin(first, second)
    assert pin_release(store.base, second) == store.pin() == Pin(second)
    assert store.versions() == [first, second]  # the pin's file is no release
    assert [unpin_release(store.base), store.pin(), unpin_release(store.base)] == [True, None, False]


def test_pinned_releases_are_kept(base, write_models, stages):
    versions = [push(write_models(c), base, stages=stages).version for c in "abc"]
    pin_release(base, versions[0], canary=versions[1])
    versions += [push(write_models(c), base, stages=stages).version for c in "defg"]
    assert ReleaseStore(base).versions() == [*versions[:2], *versions[4:]]
    ReleaseStore(base).verify(versions[0])
    unpin_release(base)
    versions.append(push(write_models("h"), base, stages=stages).version)
    assert ReleaseStore(base).versions() == versions[-3:]


def test_only_an_intact_release_is_pinned(base, write_models, stages):
    store = ReleaseStore(base)
    with pytest.raises(ReleaseError, match=f"There is no release in {store.base} yet"):
        pin_release(store.base, 5)
    with pytest.raises(ReleaseError, match=f"There is no release in {store.base} yet"):
        unpin_release(store.base)
    first, second = (push(write_models(c), store.base, stages=stages).version for c in "ab")
    pin_release(store.base, first)
    with pytest.raises(ReleaseError, match=rf"No release 5 under {base}. Releases: \[{first}, {second}\]"):
        pin_release(store.base, first, canary=5)
    (store.model_path("prerank", second) / "saved_model.pb").unlink()
    with pytest.raises(ReleaseError, match=f"Release {second}: .*prerank/{second}/saved_model.pb is missing"):
        pin_release(store.base, second)
    assert store.pin() == Pin(first)


def test_a_damaged_pin_stops_a_push_before_it_changes_anything(base, write_models, stages, rewrite):
    store = ReleaseStore(base)
    version = push(write_models("a"), store.base, stages=stages).version
    rewrite(store.pin_path, "{")
    with pytest.raises(ReleaseError, match=f"{store.pin_path} is no pin: Expecting property name"):
        push(write_models("b"), store.base, stages=stages)
    assert store.versions() == [version]
    assert unpin_release(store.base)
    assert push(write_models("b"), store.base, stages=stages).version > version


def test_the_serving_config_of_a_pin():
    text = serving_config(["ranking", "retrieval"], "/models", Pin(7, 9))
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    models = [
        (m.name, m.base_path, list(m.model_version_policy.specific.versions), dict(m.version_labels))
        for m in config.model_config_list.config
    ]
    labels = {"stable": 7, "canary": 9}
    assert models == [(name, f"/models/{name}", [7, 9], labels) for name in ("ranking", "retrieval")]
