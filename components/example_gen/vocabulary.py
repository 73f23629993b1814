"""The label vocabulary: which integer stands for which name, and what lies above it in the hierarchy. Pure."""

import csv
import dataclasses
import difflib
import io
from collections.abc import Iterable, Sequence

FILE_NAME = "labels.csv"
_SEPARATOR = "|"


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Label names in the order of their indices.

    Attributes:
      names: K unique label names; the position is the label's index.
      parents: K tuples of the names of the nodes directly above a label; empty tuples without a hierarchy.
    """

    names: tuple[str, ...]
    parents: tuple[tuple[str, ...], ...]

    def __post_init__(self):
        if not self.names:
            raise ValueError("names: a vocabulary needs at least one label")
        if len(set(self.names)) != len(self.names):
            repeated = sorted({name for name in self.names if self.names.count(name) > 1})
            raise ValueError(f"names: {repeated[:5]} occur more than once; label names must be unique")
        if len(self.parents) != len(self.names):
            raise ValueError(f"parents: {len(self.parents)} entries for {len(self.names)} labels")
        for parent in {parent for parents in self.parents for parent in parents}:
            if not parent or _SEPARATOR in parent:
                raise ValueError(f"parents: {parent!r} is empty or holds {_SEPARATOR!r}, which separates parents")

    def __len__(self) -> int:
        return len(self.names)


def make(names: Sequence[str], parents: dict[str, Sequence[str]] | None = None) -> Vocabulary:
    """Returns the vocabulary of `names`, with `parents` of those that have any."""
    parents = parents or {}
    return Vocabulary(tuple(names), tuple(tuple(parents.get(name, ())) for name in names))


def descendants(vocabulary: Vocabulary, nodes: Iterable[str]) -> tuple[int, ...]:
    """Returns the indices of the labels at or below `nodes`, in ascending order.

    Args:
      nodes: names of labels, or of nodes above them.

    Raises:
      ValueError: there is no node of such a name.
    """
    found = set(nodes)
    known = {*vocabulary.names, *(parent for parents in vocabulary.parents for parent in parents)}
    for name in sorted(found - known):
        near = difflib.get_close_matches(name, known)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {sorted(known)[:10]} and others"
        raise ValueError(f"label_subset: no label and no node above one is named {name!r}; {hint}")
    while True:  # a parent can be a label that has parents itself
        below = {
            name
            for name, parents in zip(vocabulary.names, vocabulary.parents, strict=True)
            if name not in found and not found.isdisjoint(parents)
        }
        if not below:
            return tuple(index for index, name in enumerate(vocabulary.names) if name in found)
        found |= below


def dumps(vocabulary: Vocabulary) -> str:
    """Returns the text of `labels.csv`: index, name, and parents as a `|`-separated list."""
    text = io.StringIO()
    # All names in quotes: the writer's own choice leaves a carriage return outside them, which a reader ends a row at.
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    table.writerow(["index", "name", "parents"])
    for index, (name, parents) in enumerate(zip(vocabulary.names, vocabulary.parents, strict=True)):
        table.writerow([index, name, _SEPARATOR.join(parents)])
    return text.getvalue()


def loads(text: str) -> Vocabulary:
    """Reads what `dumps` wrote.

    Raises:
      ValueError: the indices are not 0, 1, 2, …
    """
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    if [row["index"] for row in rows] != [str(index) for index in range(len(rows))]:
        raise ValueError(f"{FILE_NAME}: the column `index` must count 0, 1, 2, …")
    return make(
        [row["name"] for row in rows],
        {row["name"]: row["parents"].split(_SEPARATOR) for row in rows if row["parents"]},
    )
