"""Which of our splits an image belongs to: by the split that its data name, by the hash of its content, or both. Pure.

An exact duplicate has the hash of the first, so splits made by hash never share an image.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Literal

Split = Literal["train", "eval", "test"]  # ours
PLACE = "{split}"  # in a path: where the name of the data's own split stands
_SLICE = re.compile(r"(?P<name>[^\[]*)\[((?P<begin>\d+(\.\d+)?)%)?:((?P<end>\d+(\.\d+)?)%)?\]")


@dataclasses.dataclass(frozen=True)
class Rule:
    """What goes into one of our splits.

    Attributes:
      own: the data's own split; None: the data have none, and all of them are looked at.
      begin, end: of the hashes, as shares in [0, 1]; the end does not belong to it.
    """

    own: str | None
    begin: float = 0.0
    end: float = 1.0

    @property
    def share(self) -> float:
        """How much of the own split it takes."""
        return self.end - self.begin

    def takes(self, content_hash: str) -> bool:
        """Returns whether it takes an image whose content has this hash (hex digits)."""
        return self.begin <= int(content_hash[:13], 16) / 16**13 < self.end


def parse_rules(splits: Mapping[Split, str | float]) -> dict[str, Rule]:
    """Returns our split → its rule.

    Args:
      splits: our split → a share, with a sum of 1; or our split → the data's own, with or without a slice in percent of
        the content hashes: 'train', 'train[:90%]', 'train[90%:]'.

    Raises:
      ValueError: shares and names are mixed, shares do not add up to 1, or a slice is empty.
    """
    names = {split: value for split, value in splits.items() if isinstance(value, str)}
    shares = {split: value for split, value in splits.items() if not isinstance(value, str)}
    if not shares:
        return {split: _parse_expression(split, expression) for split, expression in names.items()}
    if names:
        raise ValueError(f"splits: {dict(splits)} mixes shares with names; give a share for each split, or a name")
    if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) <= 0:
        raise ValueError(
            f"splits: {dict(splits)} are shares with a sum of {sum(shares.values()):g}; each has to be above 0, "
            "and the sum 1"
        )
    found: dict[str, Rule] = {}
    begin = 0.0
    for number, (split, share) in enumerate(shares.items(), 1):
        end = 1.0 if number == len(shares) else begin + share
        found[split] = Rule(None, begin, end)
        begin = end
    return found


def matching_splits(found: Mapping[str, Rule], own: str | None, content_hash: str) -> list[str]:
    """Returns which of our splits take an image of the data's split `own` whose content has this hash."""
    return [split for split, rule in found.items() if rule.own == own and rule.takes(content_hash)]


def own_splits(key: str, pattern: str, splits: Mapping[Split, str | float]) -> list[str | None]:
    """Returns the data's own splits whose names take the place of {split} in `pattern`; [None] if it has no such place.

    Raises:
      ValueError: splits are named and there is no place, or the other way round.
    """
    own = sorted({rule.own for rule in parse_rules(splits).values()}, key=str)
    if (own == [None]) == (PLACE in pattern):
        raise ValueError(
            f"{key}: {pattern!r} with splits {dict(splits)}; names of splits need {PLACE} in the path, where they "
            "stand, and shares a path without it"
        )
    return own


def _parse_expression(split: str, expression: str) -> Rule:
    if "[" not in expression:
        return Rule(expression)
    sliced = _SLICE.fullmatch(expression)
    if sliced:
        begin, end = float(sliced["begin"] or 0), float(sliced["end"] or 100)
        if begin < end <= 100:
            return Rule(sliced["name"], begin / 100, end / 100)
    raise ValueError(f"splits.{split}: {expression!r} is no slice; write NAME[a%:b%] with a < b, at most 100")
