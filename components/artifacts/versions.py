"""The versions of a model in the folder that a model server watches: its subfolders with a number for a name.

A server serves the version with the highest number that it can load. Everything else in the folder is not a version:
other names, files, digits of other scripts, and numbers that no server reads.
"""

import dataclasses
import hashlib
import json
import os
import re
from typing import Any

from components import storage

_PUSHES = ".pushed.json"  # no version, so that a server ignores it
_SHARD = re.compile(r"variables\.data-\d+-of-(\d+)")  # a file of weights, and the number of them
_BEYOND = 1 << 63  # a server reads the number of a version as an int64


@dataclasses.dataclass(frozen=True)
class Versions:
    """The names of the versions in a folder.

    Attributes:
      complete: those that can be served, the newest first.
      broken: those that are empty or half-written, the newest first.
    """

    complete: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def newest(self) -> str | None:
        """The version that is served, or None."""
        return self.complete[0] if self.complete else None

    @property
    def newer_broken(self) -> tuple[str, ...]:
        """Broken versions that are newer than the one that is served."""
        return tuple(name for name in self.broken if self.newest is None or int(name) > int(self.newest))


def is_version(name: str) -> bool:
    """Returns whether a folder of this name holds a version of a model."""
    return name.isascii() and name.isdecimal() and int(name) < _BEYOND


def list_versions(folder: str) -> Versions:
    """Returns the versions in `folder`, which need not exist."""
    names = sorted(filter(is_version, _list(folder)), key=int, reverse=True)
    complete = tuple(name for name in names if is_complete(os.path.join(folder, name)))
    broken = (name for name in names if name not in complete)
    return Versions(complete, tuple(name for name in broken if _file_system(folder).isdir(os.path.join(folder, name))))


def is_complete(saved_model: str) -> bool:
    """Returns whether the folder `saved_model` has all files without which a SavedModel cannot be loaded."""
    names = _list(os.path.join(saved_model, "variables"))
    shards = [int(match[1]) for match in map(_SHARD.fullmatch, names) if match]
    return (
        _file_system(saved_model).exists(os.path.join(saved_model, "saved_model.pb"))
        and "variables.index" in names
        and bool(shards)
        and len(shards) == shards[0]
    )


def holds(version: str, model: str) -> bool:
    """Returns whether the folder `version` has all files of the SavedModel in `model`, unchanged; others may be beside.

    A server's files may stand there, such as requests to warm up with.
    """
    files, found = _sizes(model), _sizes(version)
    return bool(files) and all(
        found.get(path) == size
        and storage.read_range(os.path.join(model, path), 0, size)
        == storage.read_range(os.path.join(version, path), 0, size)
        for path, size in files.items()
    )


def note_push(folder: str, version: str, model: str) -> None:
    """Notes in the server's `folder` which SavedModel the `version` is, for when it is removed or changed."""
    pushes = read_pushes(folder) | {version: hash_files(model)}
    storage.write_text(os.path.join(folder, _PUSHES), json.dumps(pushes, indent=1) + "\n")


def read_pushes(folder: str) -> dict[str, str]:
    """Returns version → `hash_files` of the SavedModel that was pushed as it, also for versions that are gone."""
    path = os.path.join(folder, _PUSHES)
    return json.loads(storage.read_text(path)) if _file_system(path).exists(path) else {}


def is_version_of(folder: str, version: str, model: str) -> bool:
    """Returns whether the `version` in the server's `folder` is the SavedModel in `model`, even if damaged since.

    It is by its files, or by the note of its push.
    """
    if holds(os.path.join(folder, version), model):
        return True
    pushed = read_pushes(folder).get(version)
    return pushed is not None and pushed == hash_files(model)


def hash_files(saved_model: str) -> str:
    """Returns a hash of the paths and the content of all files in the folder `saved_model`."""
    content = hashlib.sha256()
    for path, size in sorted(_sizes(saved_model).items()):
        file = storage.read_range(os.path.join(saved_model, path), 0, size)
        content.update(f"{path} {hashlib.sha256(file).hexdigest()}\n".encode())
    return content.hexdigest()


def _list(folder: str) -> list[str]:
    if not _file_system(folder).isdir(folder):
        return []
    if not storage.is_remote(folder):
        return os.listdir(folder)
    import tensorflow as tf

    return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]


def _file_system(path: str) -> Any:
    """Returns what has `exists` and `isdir` for `path`: TensorFlow, whose import takes seconds, only where it must."""
    if not storage.is_remote(path):
        return os.path
    import tensorflow as tf

    return tf.io.gfile


def _sizes(folder: str) -> dict[str, int]:
    if not storage.is_remote(folder):
        paths = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
        # Links that lead nowhere, such as locks of editors, are no files.
        return {os.path.relpath(path, folder): os.path.getsize(path) for path in paths if os.path.isfile(path)}
    import tensorflow as tf

    paths = [os.path.join(parent, name) for parent, _, names in tf.io.gfile.walk(folder) for name in names]
    return {os.path.relpath(path, folder): tf.io.gfile.stat(path).length for path in paths}
