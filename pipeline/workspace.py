"""The workspace: the folder of a run. Imports nothing heavy, because it is locked before anything is written."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from components.settings import expand_path

# TFX and Beam find their files by glob patterns, in which these characters are special.
_GLOB_CHARACTERS = "[]*?\\"


def resolve_workspace(path: str) -> str:
    """Returns the absolute path of the workspace `path`.

    Raises:
      ValueError: the path has a character that is special in a glob pattern.
    """
    try:
        absolute = os.path.abspath(expand_path(path))
    except ValueError as error:
        raise ValueError(f"--workspace: {error}") from error
    for character in absolute:
        if character in _GLOB_CHARACTERS:
            raise ValueError(
                f"--workspace: {absolute!r} has a {character!r}, which TFX would take for a pattern; "
                f"name a folder without any of {' '.join(_GLOB_CHARACTERS)}"
            )
    return absolute


@contextlib.contextmanager
def lock_workspace(workspace: str) -> Iterator[None]:
    """Locks `workspace` against other runs, and creates it if necessary. The lock ends with the process at the latest.

    Raises:
      ValueError: the path is a file, or in one.
      RuntimeError: another run uses the workspace.
    """
    try:
        os.makedirs(workspace, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"--workspace: {workspace!r} is a file, or in one; name a folder") from error
    with open(os.path.join(workspace, ".lock"), "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            process = file.read().strip() or "unknown"
            raise RuntimeError(
                f"--workspace: another run, process {process}, is using {workspace}; wait for it, or name another"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
