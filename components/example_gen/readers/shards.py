"""Files whose names say how many there are: `train-00001-of-00003`."""

import collections
import fnmatch
import itertools
import re
from collections.abc import Sequence

_SHARD = re.compile(r"(?P<stem>.*-)(?P<number>\d+)-of-(?P<count>\d+)(?P<suffix>[^/]*)")
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
    sets: dict[tuple[str, str, str], set[int]] = collections.defaultdict(set)
    widths: dict[tuple[str, str, str], int] = {}
    for path in paths:
        if shard := _SHARD.fullmatch(path):
            of = shard["stem"], shard["count"], shard["suffix"]
            sets[of].add(int(shard["number"]))
            widths[of] = len(shard["number"])
    every = (
        (f"{stem}{number:0{widths[stem, count, suffix]}d}-of-{count}{suffix}", number in there)
        for (stem, count, suffix), there in sorted(sets.items())
        for number in range(int(count))
    )
    missing = (path for path, is_there in every if not is_there and fnmatch.fnmatchcase(path, pattern))
    if first := list(itertools.islice(missing, _SHOWN + 1)):
        more = " and others" if len(first) > _SHOWN else ""
        raise ValueError(
            f"{key}: {', '.join(first[:_SHOWN])}{more} is not there, though the names of the other files say so; bring "
            "it back, or name the files to read in the pattern, as in train-0000[0-4]-of-*"
        )
