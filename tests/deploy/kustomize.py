"""What `kustomize build` makes of the folders in deploy/, in the part of its language that they use.

Where kubectl is installed, test_manifests.py compares this with the real one.
"""

import copy
import hashlib
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

_KNOWN = {"apiVersion", "kind", "resources", "configMapGenerator", "patches", "images"}
_NEEDS_HASH = "needs-hash"


def build(folder: Path) -> list[Object]:
    """Returns the Kubernetes objects of a kustomization; a hashed ConfigMap's name ends in ten digits of a hash."""
    objects = _accumulate(folder)
    for config_map in _of_kind(objects, "ConfigMap"):
        if config_map.pop(_NEEDS_HASH):
            plain = config_map["metadata"]["name"]
            config_map["metadata"]["name"] = f"{plain}-{hashlib.sha256(repr(config_map).encode()).hexdigest()[:10]}"
            for deployment in _of_kind(objects, "Deployment"):
                _rename_references(deployment, plain, config_map["metadata"]["name"])
    return objects


def _accumulate(folder: Path) -> list[Object]:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(kustomization) <= _KNOWN, f"{folder}: {set(kustomization) - _KNOWN} not understood"
    objects: list[Object] = []
    for entry in kustomization.get("resources", []):
        path = folder / entry
        assert path.is_dir() or path.parent == folder, f"{folder}: kustomize reads no file outside: {entry}"
        objects += _accumulate(path) if path.is_dir() else yaml.safe_load_all(path.read_text())
    for generator in kustomization.get("configMapGenerator", []):
        _generate(objects, folder, **generator)
    for patch in kustomization.get("patches", []):
        (target,) = [o for o in _of_kind(objects, patch["target"]["kind"]) if _name(o) == patch["target"]["name"]]
        for operation in yaml.safe_load(patch["patch"]):
            _apply(target, **operation)
    for image in kustomization.get("images", []):
        for container in containers(objects):
            if container["image"] == image["name"]:
                container["image"] = f"{image['name']}:{image['newTag']}"
    return copy.deepcopy(objects)


def containers(objects: list[Object]) -> list[Object]:
    """Returns the containers of all Deployments."""
    return [c for d in _of_kind(objects, "Deployment") for c in d["spec"]["template"]["spec"]["containers"]]


def _generate(
    objects: list[Object],
    folder: Path,
    name: str,
    files: list[str],
    behavior: str = "create",
    options: dict[str, bool] | None = None,
) -> None:
    data = {file: (folder / file).read_text() for file in files}
    existing = [o for o in _of_kind(objects, "ConfigMap") if _name(o) == name]
    assert len(existing) == (behavior == "replace"), f"{folder}: cannot {behavior} ConfigMap {name}"
    for config_map in existing:
        objects.remove(config_map)
    needs_hash = not (options or {}).get("disableNameSuffixHash", False) or any(o[_NEEDS_HASH] for o in existing)
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    objects.append(config_map | {_NEEDS_HASH: needs_hash})


def _apply(target: Object, op: str, path: str, value: Any = None) -> None:
    """One operation of a JSON patch (RFC 6902)."""
    *way, last = path.lstrip("/").split("/")
    parent: Any = target
    for step in way:
        parent = parent[int(step)] if isinstance(parent, list) else parent[step]
    key = len(parent) if last == "-" else int(last) if isinstance(parent, list) else last
    if op == "test":
        assert parent[key] == value, f"{path} is {parent[key]!r} and not {value!r}"
    elif op == "remove":
        del parent[key]
    elif op == "add" and isinstance(parent, list):
        parent.insert(key, value)
    elif op == "add":
        parent[key] = value
    else:
        raise AssertionError(f"operation {op} not understood")


def _rename_references(deployment: Object, old: str, new: str) -> None:
    for volume in deployment["spec"]["template"]["spec"]["volumes"]:
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            if source.get("configMap", {}).get("name") == old:
                source["configMap"]["name"] = new


def _of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [o for o in objects if o["kind"] == kind]


def _name(item: Object) -> str:
    return item["metadata"]["name"]
