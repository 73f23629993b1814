"""Takes the newest version out of a model server's folder, so that the one before it is served again."""

import os

from tfx.dsl.io import fileio
from tfx.utils import io_utils

from components.artifacts import versions
from components.pusher.executor import renames_folders

_WITHDRAWN = ".withdrawn"  # no server takes a folder that is not a number for a version
_LOADED = "saved_model.pb"  # without it no server loads a folder


def withdraw_newest(folder: str) -> tuple[str, str]:
    """Moves the newest complete version, and broken ones above it, to a folder that no server looks into.

    A later run does not push the withdrawn model again: the Pusher sees that somebody went back.

    Args:
      folder: that of the model server.

    Returns:
      The version that was withdrawn, and the one that is served now.

    Raises:
      ValueError: there are not two complete versions.
    """
    found = versions.list_versions(folder)
    complete = sorted(found.complete, key=int)
    if len(complete) < 2:
        raise ValueError(
            f"FOLDER: {folder!r} has {len(complete)} complete versions; there is none to go back to, so nothing was "
            "changed"
        )
    for version in (*found.newer_broken, complete[-1]):
        _move(os.path.join(folder, version), os.path.join(folder, _WITHDRAWN, version))
    return complete[-1], complete[-2]


def _move(source: str, target: str) -> None:
    if fileio.exists(target):
        fileio.rmtree(target)
    if renames_folders(source):
        fileio.makedirs(os.path.dirname(target))
        fileio.rename(source, target)
        return
    io_utils.copy_dir(source, target)
    if fileio.exists(os.path.join(source, _LOADED)):  # else a server takes it for half-written anyway
        fileio.remove(os.path.join(source, _LOADED))
    fileio.rmtree(source)
