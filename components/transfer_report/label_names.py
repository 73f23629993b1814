"""Labels as a reader tells them apart: with their group and, where that is not enough, their code. Pure.

'З' and '3' look the same, as do 'l' and 'I'. So a name of a single character has its code point beside it, unless it is
a plain letter or digit that no other label looks like. A longer name has those of its unusual characters, and only if
another label's name looks the same.
"""

import collections
import dataclasses
import unicodedata
from collections.abc import Sequence

from components.transfer_report import words

# Plain letters and digits that look the same in many fonts.
_ALIKE = str.maketrans({"I": "l", "1": "l", "|": "l", "0": "o", "O": "o"})
_MOST_CODES = 3  # of one name


@dataclasses.dataclass(frozen=True)
class LabelName:
    """A label's name, and what tells it apart.

    Attributes:
      name: of the label; a word that stands for it if nothing of it is seen.
      group: the node of the hierarchy right above it; "" without one, or if all labels have the same.
      code: code points, such as 'U+0417'; "" if the name needs none.
      unicode: what Unicode calls them, such as 'CYRILLIC CAPITAL LETTER ZE'; "" without a code.
      ambiguous: the name alone does not tell which label it is: it is one character, or looks like another's.
    """

    name: str
    group: str = ""
    code: str = ""
    unicode: str = ""
    ambiguous: bool = False

    @property
    def qualifier(self) -> str:
        """Its group and its code."""
        return " ".join(filter(None, (self.group, self.code)))

    @property
    def needed(self) -> str:
        """Its qualifier, if the name alone does not tell which label it is."""
        return self.qualifier if self.ambiguous else ""

    def describe(self, *, short: bool) -> str:
        """Returns the name with what tells it apart if the name alone does not; `short`: no more than that."""
        needed = self.code or self.group if short and self.ambiguous else self.needed
        return f"{self.name} {needed}".rstrip()

    @property
    def text(self) -> str:
        """The name with as much as is needed to tell it apart, for a line of text."""
        name = words.isolate(self.name)
        return f"{name} ({self.needed})" if self.needed else name


def name_labels(names: Sequence[str], paths: Sequence[Sequence[str]]) -> list[LabelName]:
    """Returns the names of labels with what tells them apart.

    Args:
      names: of the labels.
      paths: for each label the nodes of the hierarchy above it, the topmost first.
    """
    different = list(dict.fromkeys(map(tuple, paths)))
    nearest = {path: level[1] for path, level in zip(different, group_levels(different), strict=True)}
    if len(set(nearest.values())) == 1:
        nearest = dict.fromkeys(nearest, "")
    looks = [_fold(name) for name in names]
    number_of = collections.Counter(looks)
    return [
        _describe(name, nearest[tuple(path)], is_alike=number_of[look] > 1)
        for name, path, look in zip(names, paths, looks, strict=True)
    ]


def group_levels(paths: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Returns, for each label, the two nodes of the hierarchy that it is grouped by.

    The first is the topmost node below those that all labels share, the second the one right above the label: of a
    hierarchy with two levels, or a deep one, the levels that tell labels apart. Both are "" without a hierarchy.

    Args:
      paths: for each label the nodes above it, the topmost first.
    """
    known = [tuple(path) for path in paths if path]
    shared = 0
    if known:
        first, last = min(known), max(known)
        limit = min(len(first), len(last))
        shared = next((i for i in range(limit) if first[i] != last[i]), limit)
        shared = min(shared, min(map(len, known)) - 1)
    return [(path[shared], path[-1]) if path else ("", "") for path in paths]


def _describe(name: str, group: str, *, is_alike: bool) -> LabelName:
    is_single = _is_single(name)
    if is_single:
        shown = "" if name.isascii() and name.isalnum() and not is_alike else name
    else:
        shown = "".join(filter(_is_unusual, name)) if is_alike else ""
    return LabelName(words.show(name), group, _list_codes(shown), _list_unicode(shown), is_single or is_alike)


def _fold(name: str) -> str:
    """Returns a name as a reader may take it: without what is not seen, and in one form for those that look alike."""
    folded = unicodedata.normalize("NFKC", _strip_unseen(name))
    if len(folded) == 1:
        folded = folded.translate(_ALIKE)
    return folded.casefold()


def _is_single(name: str) -> bool:
    """Returns whether a name looks like one character, whatever marks are on it."""
    seen = unicodedata.normalize("NFC", _strip_unseen(name))
    return sum(not unicodedata.category(character).startswith("M") for character in seen) <= 1


def _strip_unseen(name: str) -> str:
    return name if name.isascii() else "".join(each for each in name if unicodedata.category(each) != "Cf")


def _is_unusual(character: str) -> bool:
    return not (character.isascii() and character.isprintable())


def _list_codes(characters: str) -> str:
    codes = (f"U+{ord(character):04X}" for character in characters[:_MOST_CODES])
    return " ".join(codes) + _mark_more(characters)


def _list_unicode(characters: str) -> str:
    named = (unicodedata.name(character, "without a name") for character in characters[:_MOST_CODES])
    return ", ".join(named) + _mark_more(characters)


def _mark_more(characters: str) -> str:
    return " …" if len(characters) > _MOST_CODES else ""
