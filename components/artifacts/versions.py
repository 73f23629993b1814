"""The versions of a model in the folder that a model server watches: its subfolders with a number for a name.

A server serves the version with the highest number that it can load. Everything else in the folder is not a version:
other names, files, and digits of other scripts.
"""

import dataclasses
import os

from components import storage

# A SavedModel without one of them cannot be loaded: it was never written completely, or is partly removed.
_NECESSARY = ("saved_model.pb", os.path.join("variables", "variables.index"))


@dataclasses.dataclass(frozen=True)
class Versions:
    """The versions in a folder.

    Attributes:
      complete: those that can be served, the newest first.
      broken: those that are empty or half-written, the newest first.
    """

    complete: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()

    @property
    def newest(self) -> int | None:
        """The version that is served, or None."""
        return self.complete[0] if self.complete else None

    @property
    def newer_broken(self) -> tuple[int, ...]:
        """Broken versions that are newer than the one that is served."""
        return tuple(version for version in self.broken if self.newest is None or version > self.newest)


def is_version(name: str) -> bool:
    """Returns whether a folder of this name holds a version of a model."""
    return name.isascii() and name.isdecimal()


def list_versions(folder: str) -> Versions:
    """Returns the versions in `folder`, which need not exist."""
    numbers = sorted({int(name) for name in _list(folder) if is_version(name)}, reverse=True)
    folders = {version: os.path.join(folder, str(version)) for version in numbers}
    complete = tuple(version for version in numbers if is_complete(folders[version]))
    return Versions(complete, tuple(v for v in numbers if v not in complete and _is_folder(folders[v])))


def is_complete(saved_model: str) -> bool:
    """Returns whether the folder `saved_model` has all files without which a SavedModel cannot be loaded."""
    return all(_exists(os.path.join(saved_model, name)) for name in _NECESSARY)


def have_same_files(one: str, other: str) -> bool:
    """Returns whether two folders have files of the same paths and content."""
    files = _sizes(one)
    return files == _sizes(other) and all(
        storage.read_range(os.path.join(one, path), 0, size) == storage.read_range(os.path.join(other, path), 0, size)
        for path, size in files.items()
    )


def _list(folder: str) -> list[str]:
    if not _is_folder(folder):
        return []
    if not storage.is_remote(folder):
        return os.listdir(folder)
    import tensorflow as tf

    return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]


def _is_folder(path: str) -> bool:
    if not storage.is_remote(path):
        return os.path.isdir(path)
    import tensorflow as tf

    return tf.io.gfile.isdir(path)


def _exists(path: str) -> bool:
    if not storage.is_remote(path):
        return os.path.exists(path)
    import tensorflow as tf

    return tf.io.gfile.exists(path)


def _sizes(folder: str) -> dict[str, int]:
    if not storage.is_remote(folder):
        paths = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
        return {os.path.relpath(path, folder): os.path.getsize(path) for path in paths}
    import tensorflow as tf

    paths = [os.path.join(parent, name) for parent, _, names in tf.io.gfile.walk(folder) for name in names]
    return {os.path.relpath(path, folder): tf.io.gfile.stat(path).length for path in paths}
