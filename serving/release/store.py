"""The releases under one base folder."""

import os
import re

from serving.release.checksums import checksums
from serving.release.files import AnyPath, any_path, children
from serving.release.manifest import Manifest, ReleaseError, UnreadableError
from serving.release.pin import Pin

RELEASES = "releases"


class ReleaseStore:
    """Reads the releases that `push` wrote.

    A release is what has a manifest; model folders without one belong to a push that is under way or was killed.

    Args:
      base: folder that holds `<model>/<version>/` and `releases/<version>.json`: a local one, or a path with a scheme
        that `tf.io.gfile` reads, such as `gs://bucket/serving`.
    """

    def __init__(self, base: str | os.PathLike[str]):
        self.base = any_path(base)

    def versions(self) -> list[int]:
        """Returns the versions of the releases, oldest first."""
        matches = [re.fullmatch(r"([0-9]+)\.json", path.name) for path in children(self.base / RELEASES)]
        return sorted(int(match[1]) for match in matches if match)

    def read(self, version: int) -> Manifest:
        """Returns the manifest of a release.

        Raises:
          ReleaseError: there is no such release, or its manifest is damaged; UnreadableError: it cannot be read now.
        """
        path = self.manifest_path(version)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ReleaseError(f"No release {version} under {self.base}. Releases: {self.versions()}") from None
        except OSError as error:
            raise UnreadableError(f"{path} cannot be read: {error}") from None
        except UnicodeDecodeError as error:
            raise ReleaseError(f"{path} is no release manifest: {error}") from None
        manifest = Manifest.from_json(text, str(path))
        if manifest.version != version:
            raise ReleaseError(f"{path} is no release manifest: `version` must be {version}, not {manifest.version}")
        return manifest

    def latest(self) -> Manifest | None:
        """Returns the manifest of the newest release, `None` before the first."""
        versions = self.versions()
        return self.read(versions[-1]) if versions else None

    def verify(self, version: int) -> Manifest:
        """Compares every file of a release with its checksum.

        Returns:
          The manifest.

        Raises:
          ReleaseError: names the first file that is missing, damaged or too much; UnreadableError: one cannot be read.
        """
        manifest = self.read(version)
        for model, expected in manifest.checksums.items():
            folder = self.model_path(model, version)
            try:
                found = checksums(folder)
            except OSError as error:
                raise UnreadableError(f"Release {version}: {error}") from None
            for name in sorted(found.keys() | expected.keys()):
                problem = _compare(expected.get(name), found.get(name))
                if problem:
                    raise ReleaseError(f"Release {version}: {folder / name} {problem}")
        return manifest

    def pin(self) -> Pin | None:
        """Returns which releases servers are told to serve, `None` where they follow the newest.

        Raises:
          ReleaseError: the file that says so is damaged; UnreadableError: it cannot be read now.
        """
        try:
            text = self.pin_path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreadableError(f"{self.pin_path} cannot be read: {error}") from None
        except UnicodeDecodeError as error:
            raise ReleaseError(f"{self.pin_path} is no pin: {error}") from None
        return Pin.from_json(text, str(self.pin_path))

    def model_folders(self) -> list[AnyPath]:
        """Returns the folders that hold versions of models, and that of the manifests."""
        return [path for path in children(self.base) if path.is_dir() and not path.name.startswith(".")]

    @property
    def pin_path(self) -> AnyPath:
        """Where the pin is, or would be."""
        return self.base / RELEASES / "pin.json"

    def manifest_path(self, version: int) -> AnyPath:
        """Returns where the manifest of a release is, or would be."""
        return self.base / RELEASES / f"{version}.json"

    def model_path(self, model: str, version: int) -> AnyPath:
        """Returns where a model of a release is, or would be."""
        return self.base / model / str(version)


def _compare(expected: str | None, found: str | None) -> str | None:
    """Says what is wrong with a file, given its SHA-256 in the manifest and on disk."""
    if found == expected:
        return None
    if found is None:
        return "is missing"
    if expected is None:
        return "is not in the manifest"
    return f"does not match its checksum: expected SHA-256 {expected}, found {found}"
