"""The label vocabulary: which integer stands for which name, and what lies above it in the hierarchy. Pure."""

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
      parents: K tuples of the names of the nodes directly above a label; empty tuples without a hierarchy.
      above: nodes above the labels that are no labels themselves → the nodes directly above them, where there are any.

    Raises:
      ValueError: names or parents are none, or the hierarchy has a cycle.
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
        """Returns each label, and each node above one that has parents, with what lies directly above it."""
        return {**dict(zip(self.names, self.parents, strict=True)), **self.above}


def make_vocabulary(names: Sequence[str], parents: Mapping[str, Sequence[str]] | None = None) -> Vocabulary:
    """Returns the vocabulary of `names` with the `parents` of those, and of nodes above them, that have any."""
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
    """Returns `labels` in their order under `hierarchy`, in place of the parents that they had.

    Where the hierarchy has titles, labels and nodes go by them; of nodes that share one, each keeps its name behind it
    in brackets: 'crane (n02012849)'. Labels that are no nodes stay, with nothing above them.

    Raises:
      ValueError: no label is a node of the hierarchy.
    """
    if hierarchy.nodes().isdisjoint(labels.names):
        shown = sorted(hierarchy.nodes())[:3]
        raise ValueError(
            f"hierarchy: none of the {len(labels)} labels ({', '.join(labels.names[:3])}, …) is a node of it "
            f"({', '.join(shown)}, …); name a file of this data set's labels"
        )
    plain = make_vocabulary(labels.names, hierarchy.parents)
    nodes = {*plain.names, *(parent for parents in plain.edges().values() for parent in parents)}
    titles = {node: hierarchy.titles.get(node, node) for node in nodes}
    times = collections.Counter(titles.values())
    called = {node: title if times[title] == 1 else f"{title} ({node})" for node, title in titles.items()}
    edges = {called[node]: [called[parent] for parent in parents] for node, parents in plain.edges().items()}
    return make_vocabulary([called[name] for name in labels.names], edges)


def descendants(vocabulary: Vocabulary, nodes: Iterable[str]) -> tuple[int, ...]:
    """Returns the indices of the labels at or below `nodes`, in ascending order.

    Args:
      nodes: names of labels, or of nodes above them.

    Raises:
      ValueError: there is no node of such a name.
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
    """Returns where each of `names` stands in `of`: int64 [K].

    What is in the order of `of`, taken at these positions, is in the order of `names`.

    Args:
      names, of: two vocabularies of the same labels, in any order.
      argument: what `of` belongs to, for the message.

    Raises:
      ValueError: they are not the same labels.
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
    # All names in quotes: the writer's own choice leaves a carriage return outside them, which a reader ends a row at.
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    table.writerow(["index", "name", "parents"])
    for index, (name, parents) in enumerate(zip(vocabulary.names, vocabulary.parents, strict=True)):
        table.writerow([index, name, _SEPARATOR.join(parents)])
    for name, parents in vocabulary.above.items():
        table.writerow(["", name, _SEPARATOR.join(parents)])
    return text.getvalue()


def loads(text: str) -> Vocabulary:
    """Reads what `dumps` wrote.

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
