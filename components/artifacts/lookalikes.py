"""Labels that look the same, or nearly so: often one label in two spellings. Pure."""

import collections
import itertools
import unicodedata
from collections.abc import Callable, Collection, Iterable

from components.artifacts import findings
from components.artifacts.findings import Finding

# Characters without a shape that are not of the category Cf: joiners, fillers and variation selectors.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(code) for code in range(0xFE00, 0xFE10)}


def _drop_unseen(name: str) -> str:
    return "".join(c for c in name if unicodedata.category(c) != "Cf" and c not in _UNSEEN)


# Kind of finding → what makes names equal that differ only in this.
_FOLDS: dict[str, Callable[[str], str]] = {
    "alike_composed": lambda name: unicodedata.normalize("NFKC", name),
    "alike_unseen": _drop_unseen,
    "alike_case": str.lower,
    "alike_spaces": lambda name: " ".join(name.split()),
}


def find_lookalikes(names: Iterable[str]) -> list[Finding]:
    """Returns the groups of names that differ only in case, spaces, invisible characters, or how Unicode writes them.

    Labels of one character are such characters themselves: they have to differ in nothing but Unicode's composition.
    """
    groups = collections.defaultdict(list)
    for name in names:
        groups[_fold(name, _FOLDS)].append(name)
    found = collections.defaultdict(list)
    for group in groups.values():
        if len(group) > 1:
            found[_difference(group)].append(" and ".join(map(repr if _is_visible(group) else ascii, group)))
    return list(
        itertools.chain.from_iterable(findings.list_names(kind, texts) for kind, texts in sorted(found.items()))
    )


def _fold(name: str, kinds: Collection[str]) -> str:
    if len(unicodedata.normalize("NFC", name)) == 1:
        return unicodedata.normalize("NFC", name) if "alike_composed" in kinds else name
    # Twice, since one may undo what another has done.
    for kind in (*kinds, *kinds):
        name = _FOLDS[kind](name)
    return name


def _difference(group: list[str]) -> str:
    """Returns the kind of the only difference, or 'alike' if there are several."""
    needed = [kind for kind in _FOLDS if len({_fold(name, [k for k in _FOLDS if k != kind]) for name in group}) > 1]
    return needed[0] if len(needed) == 1 else "alike"


def _is_visible(group: list[str]) -> bool:
    """Returns whether the names look different when they are printed."""
    return len({unicodedata.normalize("NFC", name) for name in group}) == len(group)
