"""Which label of the source each label of a classifier from elsewhere stands for. Pure.

`label_map.csv` beside such a classifier's labels has the columns `label` and `source`: names that a label may have in
the source, of which the first that the source has is taken. A label without a row has its own name.
"""

import collections
import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Sequence

import numpy as np

from components.artifacts import vocabulary
from components.settings import did_you_mean

FILE_NAME = "label_map.csv"
_COLUMNS = ["label", "source"]
_SHOWN = 3

Pairs = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class ClassifierLabels:
    """The labels of a classifier.

    Attributes:
      names: unique names in the order of the outputs.
      pairs: (name, another name of the same label), for labels that have one.
    """

    names: tuple[str, ...]
    pairs: Pairs = ()


@dataclasses.dataclass(frozen=True)
class Match:
    """How the labels of a classifier stand for those of the source.

    Attributes:
      positions: int64 [classifier's labels], the index of the source's label; -1: none.
      num_labels: size of the source's vocabulary.
    """

    positions: np.ndarray
    num_labels: int

    @property
    def unmatched(self) -> np.ndarray:
        """Int64 [labels], the indices of the source's labels that no label of the classifier stands for."""
        return np.setdiff1d(np.arange(self.num_labels), self.positions)


def parse_labels(text: str) -> ClassifierLabels:
    """Returns the labels in a file: a name a line, `labels.csv`, or Keras' `imagenet_class_index.json`.

    A class of the latter has its name, or if it shares that with others, the WordNet id behind it in brackets; the id,
    and the name with spaces, are other names of it.

    Raises:
      ValueError: there is no label, a name occurs twice, or the JSON is something else.
    """
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("{") or _is_json_list(text):
        return _parse_class_index(text)
    first = text.partition("\n")[0].replace('"', "").strip()
    if first == "index,name,parents":
        return ClassifierLabels(vocabulary.loads(text).names)
    names = tuple(line.strip() for line in text.splitlines())
    while names and not names[-1]:
        names = names[:-1]
    if not all(names):
        raise ValueError(f"line {names.index('') + 1} is empty; the labels have to be one a line, in order")
    return ClassifierLabels(vocabulary.make_vocabulary(names).names)


def _is_json_list(text: str) -> bool:
    """Returns whether it is one; a label in brackets is none."""
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def _parse_class_index(text: str) -> ClassifierLabels:
    try:
        classes = json.loads(text)
        rows = [classes[str(index)] for index in range(len(classes))]  # fails for a list, too
        found = [(str(wordnet), str(name)) for wordnet, name in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            'it is JSON, but not of the form {"0": ["n01440764", "tench"], "1": …}; give such a file, or a name a line'
        ) from error
    uses = collections.Counter(name for _, name in found)
    names = [name if uses[name] == 1 else f"{name} ({wordnet})" for wordnet, name in found]
    pairs = []
    for name, (wordnet, plain) in zip(names, found, strict=True):
        others = dict.fromkeys([name, wordnet, name.replace("_", " ")])
        pairs += [(name, other) for other in others if other != plain or uses[plain] == 1]
    return ClassifierLabels(vocabulary.make_vocabulary(names).names, tuple(pairs))


def parse_map(text: str, labels: ClassifierLabels) -> Pairs:
    """Returns the pairs in a file `label,source`, by the classifier's own names.

    A label may be called by its other names, too.

    Raises:
      ValueError: it has other columns, names a label that the classifier does not have, or one twice.
    """
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    if rows.fieldnames != _COLUMNS:
        raise ValueError(f"has the columns {', '.join(rows.fieldnames or ()) or 'none'}; they have to be label,source")
    called = {other: name for name, other in labels.pairs} | {name: name for name in labels.names}
    found: dict[str, str] = {}
    for row in rows:
        label, source = row["label"], row["source"]
        if source is None or None in row:
            raise ValueError(f"line {rows.line_num} has not two columns; quote a name that has a comma")
        if label not in called:
            raise ValueError(
                f"line {rows.line_num}: {label!r} is no label of the classifier{did_you_mean(label, called, repr)}; it "
                f"has {_list(labels.names)}"
            )
        if called[label] in found:
            raise ValueError(f"line {rows.line_num}: {label!r} is named before; it can stand for one label only")
        found[called[label]] = source
    return tuple(found.items())


def join(labels: ClassifierLabels, chosen: Pairs) -> Pairs:
    """Returns all pairs of a classifier: those that were `chosen`, and the other names of labels that are not in it."""
    named = {label for label, _ in chosen}
    return (*chosen, *(pair for pair in labels.pairs if pair[0] not in named))


def check_sources(chosen: Pairs, source: Sequence[str]) -> None:
    """Checks that the source has the labels that a file names.

    Raises:
      ValueError: it has not.
    """
    known = set(source)
    if unknown := [name for _, name in chosen if name and name not in known]:
        raise ValueError(
            f"{unknown[0]!r} is no label of the source{did_you_mean(unknown[0], known, repr)}"
            f"{f', nor are {len(unknown) - 1} others' if len(unknown) > 1 else ''}; it has {_list(source)}"
        )


def match(names: Sequence[str], pairs: Iterable[tuple[str, str]], source: Sequence[str]) -> Match:
    """Returns which label of the source each label of the classifier stands for.

    Args:
      names: the classifier's labels.
      pairs: (label, name in the source) as `join` returns them.
      source: the source's labels.

    Raises:
      ValueError: none stands for any.
    """
    index = {name: position for position, name in enumerate(source)}
    candidates = collections.defaultdict(list)
    for label, name in pairs:
        candidates[label].append(name)
    found = [next((index[name] for name in candidates.get(label, [label]) if name in index), -1) for label in names]
    if max(found, default=-1) < 0:
        raise ValueError(
            f"none of the classifier's {len(names):,} labels ({_list(names)}) is one of the source's {len(source):,} "
            f"({_list(source)}); set classifier.label_map, a CSV with the columns label,source"
        )
    return Match(np.array(found, np.int64), len(source))


def dumps(pairs: Iterable[tuple[str, str]]) -> str:
    """Returns the text of `label_map.csv`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    table.writerow(_COLUMNS)
    table.writerows(pairs)
    return text.getvalue()


def loads(text: str) -> Pairs:
    """Returns the pairs in a text from `dumps`."""
    _, *rows = csv.reader(io.StringIO(text, newline=""))
    return tuple((label, source) for label, source in rows)


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
