"""Files whose names say how many there are: `train-00001-of-00003`."""

import collections
import fnmatch
import itertools
import re
from collections.abc import Collection, Iterable, Sequence

_SHARD = re.compile(r"(?P<stem>(.*\D)?)(?P<number>\d+)-of-(?P<count>\d+)(?P<suffix>[^/]*)")
_SHOWN = 3


def check_complete(key: str, pattern: str, paths: Sequence[str]) -> None:
    """Refuses files that are not all there are, by their names.

    A pattern that names some of them, as `train-0000[0-4]-of-*` does, asks for no more than these.

    Args:
      key: of the configuration, which has the pattern.
      pattern: glob pattern that the files match.
      paths: of the files that are there.

    Raises:
      ValueError: some are missing.
    """
    every = (
        (f"{stem}{number:0{min(there.values())}d}-of-{count}{suffix}", number in there)
        for (stem, suffix, count), there in sorted(_find_sets(paths).items())
        for number in _numbers(int(count), there)
    )
    missing = (path for path, is_there in every if not is_there and fnmatch.fnmatchcase(path, pattern))
    if first := list(itertools.islice(missing, _SHOWN + 1)):
        more = " and others" if len(first) > _SHOWN else ""
        raise ValueError(
            f"{key}: {', '.join(first[:_SHOWN])}{more} is not there, though the names of the other files say so; bring "
            "it back, or name the files to read in the pattern, as in train-0000[0-4]-of-*"
        )


def find_generations(paths: Iterable[str]) -> list[str]:
    """Returns the names of files, with a star for their numbers, that only differ in how many there are; sorted.

    A program that is run again with another number of files leaves the earlier ones.
    """
    counts: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for stem, suffix, count in _find_sets(paths):
        counts[stem, suffix].add(count)
    several = ((stem, suffix, found) for (stem, suffix), found in counts.items() if len(found) > 1)
    return sorted(f"{stem}*-of-{count}{suffix}" for stem, suffix, found in several for count in found)


def _find_sets(paths: Iterable[str]) -> dict[tuple[str, str, str], dict[int, int]]:
    """Returns (stem, suffix, number of files) → the numbers that are there, with how many digits each is written."""
    sets: dict[tuple[str, str, str], dict[int, int]] = collections.defaultdict(dict)
    for path in paths:
        shard = _SHARD.fullmatch(path)
        if shard and int(shard["number"]) <= int(shard["count"]):
            sets[shard["stem"], shard["suffix"], shard["count"]][int(shard["number"])] = len(shard["number"])
    return sets


def _numbers(count: int, there: Collection[int]) -> range:
    """Returns the numbers that `count` files should have: from 0, or from 1 if the last one is there and 0 is not."""
    first = int(count in there and 0 not in there)
    return range(first, first + count)
