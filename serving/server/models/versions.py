"""Which versions of a model are on disk, and which of them its policy asks for."""

import re

import tensorflow as tf

from serving.server.models.model_config import VersionPolicy


def versions_on_disk(base_path: str) -> dict[int, str] | None:
    """Lists the version folders of a model.

    A version is a folder whose name is a number of at most 63 bits; leading zeros are fine.

    Args:
      base_path: folder of the model, local or any that `tf.io.gfile` reads.

    Returns:
      Path by version number, or `None` if there is no such folder.
    """
    if not tf.io.gfile.isdir(base_path):
        return None
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(base_path)]
    numbers = {name: int(name) for name in names if re.fullmatch("0*[0-9]{1,19}", name)}
    return {number: tf.io.gfile.join(base_path, name) for name, number in numbers.items() if number < 2**63}


def aspired_versions(policy: VersionPolicy, versions: dict[int, str]) -> dict[int, str]:
    """Returns those of `versions` that the policy asks for: the latest one by default."""
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return versions
    if kind == "specific":
        return {version: path for version, path in versions.items() if version in policy.specific.versions}
    latest = sorted(versions, reverse=True)[: max(policy.latest.num_versions, 1)]
    return {version: versions[version] for version in latest}
