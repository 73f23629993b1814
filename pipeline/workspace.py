"""The folder that a run works in. Imports nothing heavy: it is locked before anything is written to it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

# TFX and Beam look for their files by patterns, in which these mean something else than themselves.
_PATTERN = "[]*?\\"


def resolve_workspace(path: str) -> str:
    """Returns the absolute path of the workspace `path`.

    Raises:
      ValueError: TFX could not find its files there.
    """
    absolute = os.path.abspath(path)
    for character in absolute:
        if character in _PATTERN:
            raise ValueError(
                f"--workspace: {absolute!r} has a {character!r}, which TFX would take for a pattern; "
                f"name a folder without any of {' '.join(_PATTERN)}"
            )
    return absolute


@contextlib.contextmanager
def lock_workspace(workspace: str) -> Iterator[None]:
    """Keeps other runs out of `workspace`, which is made if need be; the lock goes with the process, however it ends.

    Raises:
      ValueError: a file is in its place.
      RuntimeError: another run holds it.
    """
    try:
        os.makedirs(workspace, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"--workspace: {workspace!r} is a file, or in one; name a folder") from error
    with open(os.path.join(workspace, ".lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"--workspace: another run is using {workspace}; wait for it, or name another") from None
        yield
