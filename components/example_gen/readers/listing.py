"""What is known of files without opening them: names, sizes, and when they changed."""

import collections
import dataclasses
import functools
import hashlib
import os
import posixpath
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from components.example_gen.readers.sieve import Sieve
from components.storage import is_remote

_FEW = 5  # folders outside


@dataclasses.dataclass(frozen=True)
class File:
    """A file below a folder.

    Attributes:
      path: relative to the folder, with slashes.
      size: bytes.
      changed: when, in nanoseconds; 0 where the file system does not say.
      refused: why it is not to be read, or None.
      is_folder: whether it is one, which is always refused: who knows what is in it.
    """

    path: str
    size: int
    changed: int
    refused: str | None = None
    is_folder: bool = False


def join(base: str, path: str) -> str:
    """Returns `path` as it is if it is absolute or a URI, else below `base`."""
    return path if is_remote(path) else posixpath.join(base, path)


def find_escaping(root: str, paths: Iterable[str], follow_links: bool = False) -> list[bool]:
    """Returns which of the relative `paths` lead out of the folder `root`, by their dots or by a symbolic link.

    With `follow_links`, links may lead out.
    """
    whole = None if follow_links or is_remote(root) else os.path.realpath(root)

    def is_outside(path: str) -> bool:
        target = os.path.realpath(os.path.join(root, path))
        return whole is not None and os.path.commonpath([whole, target]) != whole

    # To resolve a path costs a call of the system for each folder in it: once a folder is enough.
    is_folder_outside = functools.cache(is_outside)

    def leaves(path: str) -> bool:
        normal = posixpath.normpath(path)
        if normal == ".." or normal.startswith("../"):
            return True
        if whole is None:
            return False
        is_link = os.path.islink(os.path.join(root, path))
        return is_folder_outside(posixpath.dirname(path)) or (is_link and is_outside(path))

    return [leaves(path) for path in paths]


@dataclasses.dataclass(frozen=True)
class Tree:
    """What there is below a folder.

    Attributes:
      files: that are data, and folders whose content cannot be, sorted by path.
      empty: folders without any of them, sorted; of folders in folders the outermost.
      outside: how many links that were followed lead to which folder outside.
    """

    files: list[File]
    empty: list[str]
    outside: Mapping[str, int]


def list_files(root: str, sieve: Sieve, follow_links: bool = False) -> Tree:
    """Returns what is below the folder `root` and passes `sieve`. Nothing is opened.

    Unless `follow_links` is set, a symbolic link to a folder is not followed, nor one to a file outside. A link to a
    folder that it is in is never followed, and what is neither a file nor a folder (a pipe, a device) is not read. All
    of these are returned as refused.

    Raises:
      ValueError: there is no such folder.
    """
    folders, spared, outside = set[str](), set[str](), collections.Counter[str]()
    if is_remote(root):
        found = list(_remote(root, sieve, folders, spared))
    else:
        found = list(_local(root, sieve, folders, spared, outside if follow_links else None))
    for folder in {posixpath.dirname(file.path) for file in found}:
        spared.update((folder, *folders_above(folder)))
    folders -= spared
    empty = sorted(folder for folder in folders if folders.isdisjoint(folders_above(folder)))
    return Tree(sorted(found, key=lambda file: file.path), empty, _shorten(outside))


def describe_files(uris: Sequence[str]) -> list[tuple[int, int]]:
    """Returns (size in bytes, when changed) of each file; (-1, 0) of one that is not there."""
    remote = [uri for uri in uris if is_remote(uri)]
    known: dict[str, tuple[int, int]] = {}
    # A listing of the folder costs far fewer calls than a look at each of its files.
    for folder in sorted({uri.rpartition("/")[0] for uri in remote if _is_known(uri)}):
        known |= {path: (size, changed) for path, size, changed in _matches(f"{_quoted(folder)}/*")}
    return [known.get(uri, (-1, 0)) if is_remote(uri) else _state(uri) for uri in uris]


def match_files(pattern: str) -> list[tuple[str, int, int]]:
    """Returns (path, size, when changed) of the files that match a glob `pattern`, sorted by path."""
    return sorted(_matches(pattern))


def hash_entries(entries: Iterable[object]) -> str:
    """Returns 16 hex digits of `entries`, in their order."""
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(f"{entry!r}\n".encode())
    return digest.hexdigest()[:16]


def _state(path: str) -> tuple[int, int]:
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # a path with a zero byte is a ValueError
        return -1, 0
    return state.st_size, state.st_mtime_ns


def folders_above(path: str) -> list[str]:
    """Returns the folders that `path` is in, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _why_no_text() -> str:
    encoding = sys.getfilesystemencoding()
    if encoding.lower() in ("utf-8", "utf8"):
        return "its name is not UTF-8"
    return f"file names are read as {encoding}, as the locale says; set LC_ALL=C.UTF-8 or PYTHONUTF8=1"


def _local(
    root: str, sieve: Sieve, folders: set[str], spared: set[str], outside: collections.Counter[str] | None
) -> Iterator[File]:
    """Yields what is below `root`; adds all folders to `folders`, and those with excluded files to `spared`.

    Links are followed if `outside` is not None; the folders outside `root` that they lead to are added to it.
    """
    whole = os.path.realpath(root)
    # A list, since folders may be nested deeper than calls; with each the folders that links above it stand in.
    waiting: list[tuple[str, tuple[str, ...]]] = [("", ())]
    while waiting:
        folder, links = waiting.pop()
        try:
            entries = list(os.scandir(os.path.join(root, folder)))
        except OSError as error:
            if not folder:
                raise ValueError(f"folder: {root!r} cannot be read ({error.strerror})") from error
            yield File(folder, 0, 0, f"unreadable: {error.strerror}", is_folder=True)
            continue
        for entry in entries:
            path = posixpath.join(folder, entry.name)
            is_link = entry.is_symlink()
            try:
                is_folder = entry.is_dir(follow_symlinks=outside is not None)
            except OSError as error:  # a link to itself
                yield File(path, 0, 0, f"unreadable: {error.strerror}")
                continue
            if is_folder and not sieve.takes_folder(path):
                continue
            if not is_folder and (reason := sieve.sift(path)):
                spared.update(folders_above(path) if reason == "excluded" else ())
                continue
            target = os.path.realpath(entry.path) if is_link and outside is not None else None
            if target is not None and outside is not None and not _contains(whole, target) and os.path.exists(target):
                outside[os.path.dirname(target)] += 1
            if not _is_text(entry.name):
                shown = path.encode("utf-8", "backslashreplace").decode()
                yield File(shown, 0, 0, f"unreadable: {_why_no_text()}", is_folder)
            elif is_folder:
                above = links if target is None else (*links, os.path.realpath(os.path.join(root, folder)))
                if target is not None and any(_contains(target, other) for other in above):
                    yield File(path, 0, 0, "unreadable: a link to a folder that it is in", is_folder=True)
                    continue
                waiting.append((path, above))
                folders.add(path)
            elif is_link and target is None and os.path.isdir(entry.path):
                yield File(path, 0, 0, "outside_root: a symbolic link to a folder", is_folder=True)
            elif is_link and target is None and not _contains(whole, os.path.realpath(entry.path)):
                yield File(path, 0, 0, "outside_root: a symbolic link out of the folder")
            else:
                yield _file(entry.path, path)


def _contains(folder: str, path: str) -> bool:
    return os.path.commonpath([folder, path]) == folder


def _shorten(folders: Mapping[str, int]) -> Mapping[str, int]:
    """Returns the counts of `folders`, of which there may be hundreds in a store, by a few folders above them."""
    while len(folders) > _FEW:
        above = collections.Counter[str]()
        for folder, count in folders.items():
            above[os.path.dirname(folder)] += count
        folders = above
    return folders


def _file(whole: str, path: str) -> File:
    try:
        state = os.stat(whole)
    except OSError as error:
        return File(path, 0, 0, f"unreadable: {error.strerror}")
    refused = None if stat.S_ISREG(state.st_mode) else "unreadable: not a file"
    return File(path, state.st_size, state.st_mtime_ns, refused)


def _remote(root: str, sieve: Sieve, folders: set[str], spared: set[str]) -> Iterator[File]:
    """As `_local`; a folder is known by what it holds, or by an empty object whose name ends in a slash."""
    root = root.rstrip("/")
    found = False
    for uri, size, changed in _matches(f"{_quoted(root)}/**"):
        found = True
        path = uri[len(root) + 1 :]
        if path.endswith("/"):
            folders.update(folders_above(path) if all(map(sieve.takes_folder, folders_above(path))) else ())
        elif path:
            reason = sieve.sift(path)
            folders.update(folders_above(path) if reason == "side_files" else ())
            spared.update(folders_above(path) if reason == "excluded" else ())
            if reason is None:
                yield File(path, size, changed)
    if not found:
        raise ValueError(f"folder: there is nothing below {root!r}")


def _is_known(uri: str) -> bool:
    """Returns whether Beam knows the file system of `uri`."""
    from apache_beam.io import filesystems

    try:
        return filesystems.FileSystems.get_filesystem(uri) is not None
    except ValueError:
        return False


def _quoted(path: str) -> str:
    """Returns the pattern that `path` alone matches."""
    return re.sub(r"([*?[])", r"[\1]", path)


def _matches(pattern: str) -> Iterator[tuple[str, int, int]]:
    from apache_beam.io import filesystems

    try:
        (match,) = filesystems.FileSystems.match([pattern])
    except (filesystems.BeamIOError, ValueError) as error:  # the latter: no such file system
        raise ValueError(f"{pattern!r} cannot be listed: {error}") from error
    for metadata in match.metadata_list:
        changed = int((metadata.last_updated_in_seconds or 0) * 1e9)
        yield metadata.path, metadata.size_in_bytes, changed
