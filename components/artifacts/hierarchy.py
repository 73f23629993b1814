"""Hierarchies of nodes, read from the formats in which data sets publish them. Pure.

`components.artifacts.vocabulary.apply_hierarchy` applies a hierarchy to the labels of a data set.
"""

import collections
import csv
import dataclasses
import graphlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Hierarchy:
    """The parents of each node.

    Attributes:
      parents: node → the nodes directly above it; a node without parents may be missing.
      titles: node → its title, if people call it by another name.

    Raises:
      ValueError: a node is its own ancestor; the message names the cycle.
    """

    parents: Mapping[str, Sequence[str]]
    titles: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_acyclic(self.parents)

    def nodes(self) -> set[str]:
        """Returns all nodes."""
        return {*self.parents, *(parent for parents in self.parents.values() for parent in parents)}


def check_acyclic(parents: Mapping[str, Sequence[str]]) -> None:
    """Raises a ValueError that names a cycle in `parents`, if there is one."""
    try:
        graphlib.TopologicalSorter(parents).prepare()
    except graphlib.CycleError as error:
        cycle = error.args[1][::-1]
        raise ValueError(
            f"hierarchy: {' → '.join(map(repr, cycle))} is a cycle (each lies below the next); remove one "
            "of these parents"
        ) from error


def parse(text: str, titles: str | None = None) -> Hierarchy:
    """Reads a hierarchy. The format is recognised by its content.

    - CSV with the columns `name` and `parent`: one row per pair, so a node with several parents has several rows.
    - Open Images' JSON (`bbox_labels_600_hierarchy.json`): a node is the parent of its `Subcategory`, but
      not of its `Part`: a wheel is not a kind of car.
    - `data.noun` of WordNet 3.0: hypernyms are parents (of instances too). A node is `n` and the synset's offset, as
      ImageNet names its classes; its title is the synset's first word.
    - ImageNet's `wordnet.is_a.txt`: each line is a parent and its child.

    Args:
      text: the content of the file.
      titles: the content of a file with titles for the nodes: CSV of name and title, with or without a header (Open
        Images' `class-descriptions.csv`), or ImageNet's `words.txt`, of which the first word is taken.

    Raises:
      ValueError: the text has none of these formats, or the hierarchy has a cycle.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    named = _parse_titles(titles) if titles else {}
    if text.lstrip().startswith("{"):
        return Hierarchy(_parse_open_images(text), named)
    # WordNet's licence comes first, in lines that begin with two spaces.
    first = next((line for line in lines if not line.startswith("  ")), "")
    if re.match(r"\d{8} \d\d n ", first):
        parents, words = _parse_wordnet(lines)
        return Hierarchy(parents, {**words, **named})
    if lines and all(re.fullmatch(r"n\d{8} n\d{8}", line.strip()) for line in lines):
        return Hierarchy(_group(reversed(line.split()) for line in lines), named)
    return Hierarchy(_parse_csv(text), named)


def _parse_csv(text: str) -> dict[str, list[str]]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if not {"name", "parent"} <= set(rows.fieldnames or ()):
        raise ValueError(
            f"hierarchy: begins with {text[:40]!r}; allowed are CSV with the columns name and parent, Open Images' "
            "hierarchy JSON, WordNet's data.noun and ImageNet's wordnet.is_a.txt"
        )
    # A row without a parent is a node at the top.
    pairs = ((row["name"].strip(), (row["parent"] or "").strip()) for row in rows)
    return _group((name, parent) for name, parent in pairs if parent)


def _parse_open_images(text: str) -> dict[str, list[str]]:
    try:
        root = json.loads(text)
        return _group(_list_subcategories(root))
    except json.JSONDecodeError as error:
        raise ValueError(f"hierarchy: begins like JSON, but is not valid: {error}") from error
    except RecursionError as error:
        raise ValueError("hierarchy: its nodes are nested too deeply to be read") from error


def _list_subcategories(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not isinstance(node, dict) or "LabelName" not in node:
        raise ValueError(
            f"hierarchy: {str(node)[:60]!r} has no LabelName; each node of Open Images' JSON is an object with "
            "LabelName, and Subcategory and Part where it has any"
        )
    for child in node.get("Subcategory") or ():
        yield from _list_subcategories(child)
        yield child["LabelName"], node["LabelName"]
    for part in node.get("Part") or ():  # parts have subcategories of their own
        yield from _list_subcategories(part)


def _parse_wordnet(lines: Iterable[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Reads lines of offset, file, type, number of words (hex), words, number of pointers, pointers | gloss."""
    pairs, words = [], {}
    for line in lines:
        if line.startswith("  "):
            continue
        fields = line.partition("|")[0].split()
        try:
            name, pointers = f"n{fields[0]}", 4 + 2 * int(fields[3], 16)
            words[name] = fields[4].replace("_", " ")
            for i in range(int(fields[pointers])):
                symbol, offset, kind, _ = fields[pointers + 1 + 4 * i : pointers + 5 + 4 * i]
                if symbol in ("@", "@i") and kind == "n":
                    pairs.append((name, f"n{offset}"))
        except (IndexError, ValueError) as error:
            raise ValueError(f"hierarchy: {line[:60]!r} is not a line of WordNet's data.noun") from error
    return _group(pairs), words


def _parse_titles(text: str) -> dict[str, str]:
    if "\t" in text.partition("\n")[0]:
        pairs = (line.partition("\t")[::2] for line in text.splitlines() if line.strip())
        return {name: words.partition(",")[0].strip() for name, words in pairs}
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    for row in rows:
        if len(row) != 2:
            raise ValueError(f"hierarchy: the row {row} of the titles is not a name and a title")
    return dict(rows)


def _group(pairs: Iterable[Iterable[str]]) -> dict[str, list[str]]:
    """Returns name → its parents, each once, in their order."""
    parents: dict[str, dict[str, None]] = collections.defaultdict(dict)
    for name, parent in pairs:
        parents[name][parent] = None
    return {name: list(above) for name, above in parents.items()}
