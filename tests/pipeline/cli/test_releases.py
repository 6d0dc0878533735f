"""`lcron releases`: what each command prints and changes. The commands run in this process, as `ram://` is its own."""

import json

import pytest
from click.testing import CliRunner

from pipeline.cli.releases import releases
from serving.release.manifest import Stage
from serving.release.pin import Pin
from serving.release.push import push
from serving.release.store import ReleaseStore

STAGES = [Stage("retrieval", 200), Stage("ranking", 50)]


@pytest.fixture
def store(base):
    return ReleaseStore(base)


@pytest.fixture
def versions(store, tmp_path):
    """Three releases, oldest first."""
    pushed = []
    for content in "abc":
        models = {name: tmp_path / content / name for name in ("retrieval", "ranking", "cascade")}
        for folder in models.values():
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").write_text(content * 100_000)
        manifest = push(
            models,
            store.base,
            stages=STAGES,
            metrics={"recall@100": 0.5, "ndcg": 0.25},
            schema={"request": [{"name": "tab"}, {"name": "city"}], "item": [], "history_size": 50},
            data_span=("2022-04-09", "2022-04-28"),
            git_commit=content * 40,
            lock_hash=content * 64,
        )
        pushed.append(manifest.version)
    return pushed


@pytest.fixture
def run(store):
    def run(command, *arguments, code=0):
        result = CliRunner().invoke(releases, [command, "--base", str(store.base), *map(str, arguments)])
        assert result.exit_code == code, result.output + result.stderr
        return result.stdout if code == 0 else result.stderr

    return run


def damage(store, version):
    file = store.model_path("ranking", version) / "saved_model.pb"
    rewrite(file, "x")
    return file


def rewrite(file, text):
    file.unlink()  # `ram://` would append to it
    file.write_text(text)


def test_list(run, store, versions):
    lines = run("list").splitlines()
    assert lines[0].split("  ")[0] == "release"
    created = store.read(versions[2]).created_time
    assert lines[2].split() == [
        *[str(versions[2]), "newest", created, "2022-04-09", "to", "2022-04-28", "c" * 10, "-", "0.3", "MB"]
    ]
    assert [line.split()[:2] for line in lines[2:]] == [
        [str(versions[2]), "newest"],
        [str(versions[1]), "previous"],
        [str(versions[0]), "-"],
    ]


def test_list_with_a_damaged_manifest_and_a_pin(run, store, versions):
    run("pin", versions[0], "--canary", versions[2])
    rewrite(store.manifest_path(versions[1]), "{")
    rows = [json.loads(line) for line in run("list", "--json").splitlines()]
    assert [(row["version"], row["served"]) for row in rows] == [
        (versions[2], "canary"),
        (versions[1], ""),
        (versions[0], "stable"),
    ]
    assert rows[1]["error"].startswith(f"{store.manifest_path(versions[1])} is no release manifest: ")
    assert (rows[0]["num_bytes"], rows[0]["data_span"]) == (300_000, ["2022-04-09", "2022-04-28"])
    assert f"damaged: {store.manifest_path(versions[1])} is no release manifest" in run("list")


def test_show(run, store, versions):
    manifest = store.read(versions[1])
    assert [line.split(None, 1) for line in run("show", versions[1]).splitlines()][:2] == [
        ["release", str(versions[1])],
        ["served", "previous"],
    ]
    text = " ".join(run("show", versions[1]).split())
    for words in (
        "stages retrieval 200 > ranking 50",
        "models ranking, cascade, retrieval",
        "files 3 in 0.3 MB",
        "trained on 2022-04-09 to 2022-04-28",
        f"git commit {'b' * 40}",
        f"lock hash {'b' * 64}",
        f"fingerprint {manifest.fingerprint} request features tab, city ndcg 0.2500 recall@100 0.5000",
    ):
        assert words in text
    assert run("show", versions[1], "--json") == manifest.to_json()


def test_verify(run, store, versions):
    assert run("verify", versions[1]) == f"release {versions[1]}: 3 files in 3 models are as they were pushed\n"
    assert run("verify").count("as they were pushed") == 3
    files = [damage(store, version) for version in versions[:2]]
    message = run("verify", code=1)
    for version, file in zip(versions, files, strict=False):
        assert f"Release {version}: {file} does not match its checksum: expected SHA-256 " in message
    assert run("verify", versions[2])


def test_rollback(run, store, versions):
    message = run("rollback", versions[0])
    newest = store.latest()
    assert message == f"release {newest.version} has the models of release {versions[0]}\n"
    assert (newest.version > versions[2], newest.rollback_of) == (True, versions[0])
    assert run("list").splitlines()[2].split()[-3] == str(versions[0])
    message = run("rollback", newest.version)
    assert message == f"release {newest.version} is the newest and has the models of release {newest.version} already\n"


def test_pin_and_unpin(run, store, versions):
    assert run("pin", versions[0]) == f"pinned: stable is release {versions[0]}\n"
    expected = f"pinned: stable is release {versions[0]}, canary is release {versions[2]}\n"
    assert run("pin", versions[0], "--canary", versions[2]) == expected
    assert store.pin() == Pin(versions[0], versions[2])
    assert f"Release {versions[0]} is pinned" in run("rollback", versions[1], code=1)
    assert run("unpin") == "servers follow the newest releases\n"
    assert run("unpin") == "servers follow the newest releases; nothing was pinned\n"
    assert store.pin() is None


def test_config(run, versions):
    text = run("config", "--mount", "/models")
    assert text.count("latest {") == text.count("num_versions: 2") == 3
    assert 'base_path: "/models/retrieval"' in text
    run("pin", versions[0])
    text = run("config")
    assert text.count(f"versions: {versions[0]}") == text.count('key: "stable"') == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", 5), "No release 5 under "),
        (("verify", 5), "No release 5 under "),
        (("rollback", 5), "No release 5 under "),
        (("pin", 5), "No release 5 under "),
    ],
)
def test_a_release_that_is_not_there(run, versions, arguments, message):
    error = run(*arguments, code=1)
    assert message in error
    assert f"Releases: {versions}" in error


@pytest.mark.parametrize("command", ["list", "verify", "unpin", "config"])
def test_a_folder_without_releases(run, store, command):
    store.base.mkdir()
    assert run(command, code=1) == f"Error: There is no release in {store.base} yet\n"


def test_a_path_that_tensorflow_does_not_know():
    result = CliRunner().invoke(releases, ["list", "--base", "nosuch://bucket/serving"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: TensorFlow has no file system nosuch://, only file://, gs://, ram://")
    assert "tensorflow-io==0.34.0 brings s3://, hdfs:// and others" in result.stderr


def test_a_folder_that_is_not_there(tmp_path):
    result = CliRunner().invoke(releases, ["list", "--base", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert f"Directory '{tmp_path}/none' does not exist." in result.stderr
