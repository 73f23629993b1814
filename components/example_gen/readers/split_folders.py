"""Folders that are called like splits: which of them are some, and which only seem so. Pure."""

import collections
from collections.abc import Mapping

# Folders of such names, in any case, are hardly classes.
_NAMES = """
    train training training_set val valid validation validation_set eval evaluation dev test testing test_set
"""
LIKE_SPLITS = frozenset(_NAMES.split())


def find_pooled(files: Mapping[str, int]) -> set[str]:
    """Returns the outermost folders that are splits: two or more, called so, and most of whose files lie deeper.

    Args:
      files: folder → number of files in the folder itself.
    """
    flat, deep = collections.Counter[str](), collections.Counter[str]()
    for folder, count in files.items():
        top, _, below = folder.partition("/")
        (deep if below else flat)[top] += count
    found = {top for top in deep if _is_like_split(top) and deep[top] > flat[top]}
    return found if len(found) > 1 else set()


def find_suspicious(files: Mapping[str, int]) -> list[str]:
    """Returns the folders that may be splits, sorted: two side by side, or an outermost one that holds folders."""
    of_parent: dict[str, set[str]] = collections.defaultdict(set)
    with_folders = set[str]()
    for folder in files:
        above = ""
        for name in folder.split("/"):
            path = f"{above}/{name}" if above else name
            if _is_like_split(name):
                of_parent[above].add(path)
            above = path
        if "/" in folder:
            with_folders.add(folder.partition("/")[0])
    return sorted(
        path
        for parent, paths in of_parent.items()
        if len(paths) > 1 or (not parent and paths <= with_folders)
        for path in paths
    )


def are_all_like_splits(files: Mapping[str, int]) -> bool:
    """Returns whether there are two outermost folders or more, and all are called like splits."""
    tops = {folder.partition("/")[0] for folder in files if folder}
    return len(tops) > 1 and all(map(_is_like_split, tops))


def _is_like_split(name: str) -> bool:
    return name.casefold() in LIKE_SPLITS
