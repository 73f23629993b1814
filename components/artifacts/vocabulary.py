"""The label vocabulary: the name of each label index, and its parents in the hierarchy. Pure."""

import collections
import csv
import dataclasses
import difflib
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from components.artifacts import hierarchy as hierarchies

FILE_NAME = "labels.csv"
_SEPARATOR = "|"


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Label names in the order of their indices.

    Attributes:
      names: K unique label names; the position is the label's index.
      parents: K tuples with the names of the nodes directly above each label; empty tuples without a hierarchy.
      above: node above the labels that is not a label → the nodes directly above it; only nodes that have any.

    Raises:
      ValueError: a name or a parent is not valid, or the hierarchy has a cycle.
    """

    names: tuple[str, ...]
    parents: tuple[tuple[str, ...], ...]
    above: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("names: a vocabulary needs at least one label")
        if len(set(self.names)) != len(self.names):
            repeated = sorted(name for name, count in collections.Counter(self.names).items() if count > 1)
            raise ValueError(f"names: {repeated[:5]} occur more than once; label names must be unique")
        if len(self.parents) != len(self.names):
            raise ValueError(f"parents: {len(self.parents)} entries for {len(self.names)} labels")
        edges = self.edges()
        for parent in {parent for parents in edges.values() for parent in parents}:
            if not parent or _SEPARATOR in parent:
                raise ValueError(f"parents: {parent!r} is empty or holds {_SEPARATOR!r}, which separates parents")
        hierarchies.check_acyclic(edges)

    def __len__(self) -> int:
        return len(self.names)

    def edges(self) -> dict[str, tuple[str, ...]]:
        """Returns node → its parents, for each label and for each node above one that has parents."""
        return {**dict(zip(self.names, self.parents, strict=True)), **self.above}


def make_vocabulary(names: Sequence[str], parents: Mapping[str, Sequence[str]] | None = None) -> Vocabulary:
    """Returns the vocabulary of `names`, with their `parents` and those of the nodes above them."""
    parents = parents or {}
    above, waiting = {}, [parent for name in names for parent in parents.get(name, ())]
    known = set(names)
    while waiting:
        node = waiting.pop()
        if node not in known and parents.get(node):
            above[node] = tuple(parents[node])
            waiting += above[node]
        known.add(node)
    above = {node: above[node] for node in sorted(above)}
    return Vocabulary(tuple(names), tuple(tuple(parents.get(name, ())) for name in names), above)


def apply_hierarchy(labels: Vocabulary, hierarchy: hierarchies.Hierarchy) -> Vocabulary:
    """Returns `labels` in the same order, with their parents in `hierarchy` instead of those that they had.

    Labels and nodes that have a title in the hierarchy are renamed to it. If several nodes share a title, each has its
    old name behind it in brackets: 'crane (n02012849)'. Labels that are not in the hierarchy stay, without parents.

    Raises:
      ValueError: no label is in the hierarchy.
    """
    if hierarchy.nodes().isdisjoint(labels.names):
        shown = sorted(hierarchy.nodes())[:3]
        raise ValueError(
            f"hierarchy: none of the {len(labels)} labels ({', '.join(labels.names[:3])}, …) is a node of it "
            f"({', '.join(shown)}, …); give a hierarchy of this data set's labels"
        )
    plain = make_vocabulary(labels.names, hierarchy.parents)
    nodes = {*plain.names, *(parent for parents in plain.edges().values() for parent in parents)}
    titles = {node: hierarchy.titles.get(node, node) for node in nodes}
    uses = collections.Counter(titles.values())
    called = {node: title if uses[title] == 1 else f"{title} ({node})" for node, title in titles.items()}
    edges = {called[node]: [called[parent] for parent in parents] for node, parents in plain.edges().items()}
    return make_vocabulary([called[name] for name in labels.names], edges)


def descendants(vocabulary: Vocabulary, nodes: Iterable[str]) -> tuple[int, ...]:
    """Returns the indices of the labels at or below `nodes`, in ascending order.

    Args:
      nodes: names of labels, or of nodes above them.

    Raises:
      ValueError: no label or node has one of these names.
    """
    found = set(nodes)
    edges = vocabulary.edges()
    known = {*edges, *(parent for parents in edges.values() for parent in parents)}
    for name in sorted(found - known):
        shared = sorted(node for node in known if node.startswith(f"{name} ("))  # see `apply_hierarchy`
        near = shared or difflib.get_close_matches(name, known)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {sorted(known)[:10]} and others"
        raise ValueError(f"label_subset: no label and no node above one is named {name!r}; {hint}")
    below = collections.defaultdict(list)
    for name, parents in edges.items():
        for parent in parents:
            below[parent].append(name)
    waiting = list(found)
    while waiting:
        new = set(below[waiting.pop()]) - found
        found |= new
        waiting += new
    return tuple(index for index, name in enumerate(vocabulary.names) if name in found)


def positions(names: Sequence[str], of: Sequence[str], argument: str) -> np.ndarray:
    """Returns the position of each of `names` in `of`: int64 [K].

    An array in the order of `of`, indexed by these positions, is in the order of `names`.

    Args:
      names, of: two vocabularies of the same labels, in any order.
      argument: the name of the argument that has `of`, for the message.

    Raises:
      ValueError: the labels differ.
    """
    found = {name: position for position, name in enumerate(of)}
    missing, foreign = sorted(set(names) - set(found)), sorted(set(found) - set(names))
    if missing or foreign:
        raise ValueError(
            f"{argument}: its labels are not those of the vocabulary: it lacks {len(missing)} ({missing[:3]}) and has "
            f"{len(foreign)} others ({foreign[:3]}); it was made for another source"
        )
    return np.array([found[name] for name in names], np.int64)


def dumps(vocabulary: Vocabulary) -> str:
    """Returns the text of `labels.csv`: index, name, and parents as a `|`-separated list.

    Nodes above the labels follow them, without an index.
    """
    text = io.StringIO()
    # Quote all names: by default the writer leaves a carriage return unquoted, and a reader would end the row there.
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    table.writerow(["index", "name", "parents"])
    for index, (name, parents) in enumerate(zip(vocabulary.names, vocabulary.parents, strict=True)):
        table.writerow([index, name, _SEPARATOR.join(parents)])
    for name, parents in vocabulary.above.items():
        table.writerow(["", name, _SEPARATOR.join(parents)])
    return text.getvalue()


def loads(text: str) -> Vocabulary:
    """Returns the vocabulary in a text from `dumps`.

    Raises:
      ValueError: the indices are not 0, 1, 2, …
    """
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    labels = [row for row in rows if row["index"]]
    if [row["index"] for row in rows] != [*map(str, range(len(labels))), *[""] * (len(rows) - len(labels))]:
        raise ValueError(f"{FILE_NAME}: the column `index` must count 0, 1, 2, …")
    return make_vocabulary(
        [row["name"] for row in labels],
        {row["name"]: row["parents"].split(_SEPARATOR) for row in rows if row["parents"]},
    )
