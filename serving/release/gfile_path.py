"""Paths with a scheme: `gs://bucket/serving`, `s3://...`, `hdfs://...`, `ram://...`."""

import contextlib
import dataclasses
import functools
import importlib
import os
from collections.abc import Iterator
from typing import IO, Any, NamedTuple


class FileStatus(NamedTuple):
    """What `os.stat_result` says of a file, as far as it is known everywhere; some file systems know no times."""

    st_size: int
    st_mtime_ns: int


@dataclasses.dataclass(frozen=True, order=True)
class GfilePath(os.PathLike[str]):
    """What the releases need of `pathlib.Path`, for all that `tf.io.gfile` reaches.

    Methods do as those of `Path` of the same name and raise OSError, FileNotFoundError where nothing is there. That
    TensorFlow is needed shows only when a file is touched: it is imported then.

    Args:
      uri: scheme, `://` and the rest, without a `/` at the end.
    """

    uri: str

    def __str__(self) -> str:
        return self.uri

    def __fspath__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "GfilePath":
        return GfilePath(f"{self.uri}/{name}")

    @property
    def name(self) -> str:
        return self.uri.rpartition("/")[2]

    @property
    def parent(self) -> "GfilePath":
        return GfilePath(self.uri.rpartition("/")[0])

    def exists(self) -> bool:
        with _os_errors(self.uri):
            return bool(self._gfile.exists(self.uri))

    def is_dir(self) -> bool:
        status = self._status()
        return status is not None and bool(status.is_directory)

    def is_file(self) -> bool:
        status = self._status()
        return status is not None and not status.is_directory

    def stat(self) -> FileStatus:
        status = self._status()
        if status is None:
            raise FileNotFoundError(f"There is no {self.uri}")
        return FileStatus(status.length, status.mtime_nsec)

    def iterdir(self) -> Iterator["GfilePath"]:
        status = self._status()
        if status is None:
            raise FileNotFoundError(f"There is no {self.uri}")
        if not status.is_directory:
            raise NotADirectoryError(f"{self.uri} is no folder")
        try:
            with _os_errors(self.uri):
                names = self._gfile.listdir(self.uri)
        except FileNotFoundError as error:  # said of all that cannot be reached now
            raise OSError(f"{self.uri} cannot be listed") from error
        for name in names:  # some file systems mark folders by a `/`
            yield self / name.rstrip("/")

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Makes a folder where there are any; its parents always, and no error if it is there."""
        with _os_errors(self.uri):
            self._gfile.makedirs(self.uri)

    @contextlib.contextmanager
    def open(self, mode: str) -> Iterator[IO[Any]]:
        with _os_errors(self.uri), self._gfile.GFile(self.uri, mode) as stream:
            if "w" in mode:
                stream.write(b"")  # else a file that nothing is written to is not there
            yield stream

    def read_text(self, encoding: str = "utf-8") -> str:
        with self.open("rb") as stream:
            content: bytes = stream.read()
        return content.decode(encoding)

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        with self.open("wb") as stream:
            stream.write(text.encode(encoding))

    def rename(self, target: "GfilePath") -> None:
        """Renames a file; what was at `target` is replaced, and nothing is done if it has been renamed already."""
        status = self._status()
        if status is None and target.exists():
            return  # s3:// renames all that begins with a name along: `ids_10` goes with `ids_1`
        if status is not None and status.length == 0:  # which s3:// refuses
            target.write_text("")
            self.unlink()
            return
        with _os_errors(self.uri):
            self._gfile.rename(self.uri, target.uri, overwrite=True)

    def unlink(self, missing_ok: bool = False) -> None:
        missing: tuple[type[Exception], ...] = (FileNotFoundError,) if missing_ok else ()
        with contextlib.suppress(*missing), _os_errors(self.uri):
            self._gfile.remove(self.uri)

    def rmtree(self) -> None:
        """Removes a folder with all that it holds, if it is there."""
        with contextlib.suppress(FileNotFoundError), _os_errors(self.uri):
            self._gfile.rmtree(self.uri)

    @property
    def _gfile(self) -> Any:
        return _gfile(self.uri.partition("://")[0])

    def _status(self) -> Any:
        try:
            with _os_errors(self.uri):
                return self._gfile.stat(self.uri)
        except FileNotFoundError:
            return None


@functools.cache
def _gfile(scheme: str) -> Any:
    """Returns `tf.io.gfile`, with the file systems of tensorflow-io if the scheme needs them.

    Raises:
      OSError: TensorFlow has no such file system.
    """
    import tensorflow as tf

    if scheme not in tf.io.gfile.get_registered_schemes():
        with contextlib.suppress(ImportError):
            importlib.import_module("tensorflow_io")
    known = sorted(filter(None, tf.io.gfile.get_registered_schemes()))
    if scheme not in known:
        raise OSError(
            f"TensorFlow has no file system {scheme}://, only {', '.join(f'{name}://' for name in known)}; "
            "tensorflow-io==0.34.0 brings s3://, hdfs:// and others"
        )
    return tf.io.gfile


@contextlib.contextmanager
def _os_errors(uri: str) -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(f"{uri}: {error.message or 'not found'}") from error
    except tf.errors.OpError as error:
        raise OSError(f"{uri}: {error.message}") from error
