"""The positions of a sample's copies in its record files, far from each other. Pure."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np

from components.splitmix import splitmix

_Item = TypeVar("_Item")
# Places are below this, so that the shard can be added without an overflow.
_PLACES = np.uint64(1 << 62)


def spread_copies(keys: np.ndarray, copies: np.ndarray, shards: int) -> np.ndarray:
    """Returns uint64 keys, one per copy, in the order of the rows.

    A key modulo `shards` is the copy's shard; the order of the keys is the order within the shard.

    The copies of an example go to consecutive shards, so that no shard has two more of them than another. Copies that
    share a shard lie at equal distances in the range of the keys, from an offset that the example's hash decides.

    Args:
      keys: uint64 [examples].
      copies: int32 [examples].
    """
    rows = np.repeat(np.arange(len(copies)), copies)
    ordinal = np.arange(len(rows)) - np.repeat(np.cumsum(copies, dtype=np.int64) - copies, copies)
    turn, step = np.divmod(ordinal.astype(np.uint64), np.uint64(shards))
    together = (copies[rows].astype(np.uint64) - step + np.uint64(shards - 1)) // np.uint64(shards)
    distance = _PLACES // together
    place = turn * distance + splitmix(keys[rows] ^ splitmix(step)) % distance
    count = np.uint64(shards)
    return place - place % count + (keys[rows] % count + step) % count


def separate_copies(items: Sequence[_Item], identity: Callable[[_Item], Hashable]) -> list[_Item]:
    """Returns `items` reordered so that no two neighbours have the same identity, if possible.

    It is impossible only if one identity makes up more than half of the items, rounded up; its surplus then stays
    together at the end. Items move as little as necessary: one that would follow an equal one waits for the next place.
    """
    apart: list[_Item] = []
    waiting: list[_Item] = []  # all have the identity of the last item of `apart`
    for item in items:
        if apart and identity(item) == identity(apart[-1]):
            waiting.append(item)
            continue
        apart.append(item)
        if waiting:
            apart.append(waiting.pop())
    return _insert_waiting(apart, waiting, identity) if waiting else apart


def _insert_waiting(apart: list[_Item], waiting: list[_Item], identity: Callable[[_Item], Hashable]) -> list[_Item]:
    """Inserts `waiting`, all of one identity, between items of `apart` with other identities, starting at the end."""
    alike = identity(waiting[-1])
    fitted: list[_Item] = []  # in reverse order
    touches = True  # nothing can follow the last item, which has this identity
    for item in reversed(apart):
        is_alike = identity(item) == alike
        if waiting and not touches and not is_alike:
            fitted.append(waiting.pop())
        fitted.append(item)
        touches = is_alike
    if waiting and not touches:
        fitted.append(waiting.pop())
    return fitted[::-1] + waiting
