"""The workspace: the folder of a run. Imports nothing heavy, because it is locked before anything is written."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import TextIO

from components.settings import expand_argument

_LOCK = ".lock"
# TFX and Beam find their files by glob patterns, in which these characters are special.
_GLOB_CHARACTERS = "[]*?\\"


def resolve_workspace(path: str, option: str = "--workspace") -> str:
    """Returns the absolute path of the workspace `path`, which the command has from `option`.

    Raises:
      ValueError: the path is empty, is no UTF-8 text, or has a character that is special in a glob pattern.
    """
    if not path:
        raise ValueError(f"{option}: it is empty; name a folder")
    absolute = os.path.abspath(expand_argument(option, path))
    try:
        absolute.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{option}: {absolute!r} is not UTF-8; name another folder") from error
    for character in absolute:
        if character in _GLOB_CHARACTERS:
            raise ValueError(
                f"{option}: {absolute!r} has a {character!r}, which TFX would take for a pattern; "
                f"name a folder without any of {' '.join(_GLOB_CHARACTERS)}"
            )
    return absolute


@contextlib.contextmanager
def lock_workspace(workspace: str) -> Iterator[None]:
    """Locks `workspace` against other runs, and creates it if necessary. The lock ends with the process at the latest.

    If nothing is in the workspace in the end, it is removed, with the folders that were made for it.

    Raises:
      ValueError: the path is a file, or in one.
      RuntimeError: another run uses the workspace.
    """
    made = _missing_folders(workspace)
    lock = os.path.join(workspace, _LOCK)
    try:
        file = _open_locked(lock)
        try:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
        finally:
            if made and os.listdir(workspace) == [_LOCK]:
                os.remove(lock)
            file.close()
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # not there, or not empty
                os.rmdir(folder)


def _missing_folders(path: str) -> list[str]:
    """Returns those of `path` and the folders above it that do not exist, the deepest first."""
    missing = []
    while not os.path.lexists(path):
        missing.append(path)
        path = os.path.dirname(path)
    return missing


def _open_locked(lock: str) -> TextIO:
    workspace = os.path.dirname(lock)
    while True:
        try:
            os.makedirs(workspace, exist_ok=True)
            file = open(lock, "a+", encoding="utf-8")  # noqa: SIM115 - the caller closes it
        except (FileExistsError, NotADirectoryError) as error:
            raise ValueError(f"--workspace: {workspace!r} is a file, or in one; name a folder") from error
        except FileNotFoundError:  # a run that found nothing to do has just removed the folder
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            process = file.read().strip() or "unknown"
            file.close()
            raise RuntimeError(
                f"--workspace: another run, process {process}, is using {workspace}; wait for it, or name another"
            ) from None
        if _is_same(file, lock):
            return file
        file.close()  # another run has removed it in the meantime


def _is_same(file: TextIO, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
