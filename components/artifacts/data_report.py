"""What an ExampleGen found, in two small files beside the index: examples a label and split, and a summary.

`counts.csv` has a row a label: index, name, and a column a split. `summary.json` has, by split, the number of examples,
of those that were converted, and of the rejected ones by reason; by pair of splits, how many different images and ids
stand in both; and labels that look the same.
"""

import collections
import csv
import dataclasses
import io
import itertools
import json
import unicodedata
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from components.artifacts import index

COUNTS_FILE = "counts.csv"
SUMMARY_FILE = "summary.json"
COLUMNS = ("key", "labels", "converted", "content_hash")  # of the index, that a report is made from


@dataclasses.dataclass(frozen=True)
class SplitReport:
    """What is counted of a split.

    Attributes:
      label_counts: int64 [labels], (example, label) pairs of each label.
      keys: uint64 [examples], of the ids, sorted.
      contents: uint64 [examples], 64 bits of the content hashes, sorted.
      converted: examples whose image was not written as it was read.
    """

    label_counts: np.ndarray
    keys: np.ndarray
    contents: np.ndarray
    converted: int


def report_split(tables: Iterable[pa.Table], num_labels: int) -> SplitReport:
    """Returns what is counted of a split's index, given as tables (one a shard, say) with COLUMNS."""
    counts, converted = np.zeros(num_labels, np.int64), 0
    keys, contents = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    for table in tables:
        counts += index.label_counts(index.label_pairs(table["labels"], num_labels), num_labels)
        converted += int(table["converted"].to_numpy().sum())
        keys.append(table["key"].to_numpy())
        # 32 hex digits are two numbers of 64 bits, of which one is enough to tell contents apart.
        digits = "".join(table["content_hash"].to_pylist())
        contents.append(np.frombuffer(bytes.fromhex(digits), ">u8")[::2].astype(np.uint64))
    return SplitReport(counts, np.sort(np.concatenate(keys)), np.sort(np.concatenate(contents)), converted)


def counts_csv(splits: Mapping[str, SplitReport], names: tuple[str, ...]) -> str:
    """Returns the content of COUNTS_FILE."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # a name may hold a carriage return
    rows.writerow(["index", "name", *splits])
    for label, name in enumerate(names):
        rows.writerow([label, name, *(int(found.label_counts[label]) for found in splits.values())])
    return text.getvalue()


def summarise(
    splits: Mapping[str, SplitReport], count_rejected: Mapping[str, Mapping[str, int]], names: Iterable[str]
) -> dict:
    """Returns the content of SUMMARY_FILE.

    Args:
      splits: what was counted.
      rejected: split → reason → number of images.
      names: of all labels.
    """
    pairs = list(itertools.combinations(splits, 2))
    return {
        "examples": {name: len(found.keys) for name, found in splits.items()},
        "converted": {name: found.converted for name, found in splits.items()},
        "rejected": {name: dict(reasons) for name, reasons in count_rejected.items()},
        "same_image": {f"{a}, {b}": _common(splits[a].contents, splits[b].contents) for a, b in pairs},
        "same_id": {f"{a}, {b}": _common(splits[a].keys, splits[b].keys) for a, b in pairs},
        "alike": _alike(names),
    }


def list_warnings(found: Mapping) -> list[str]:
    """Returns what a summary says that a user should know, a line each."""
    words = {"same_image": "images are in both splits, byte for byte", "same_id": "ids are in both splits"}
    repeated = [f"{pair}: {count} {words[kind]}" for kind in words for pair, count in found[kind].items() if count]
    alike = (" and ".join(map(repr, names)) for names in found["alike"])
    return [*repeated, *(f"the labels {names} differ in what nobody sees; are they one?" for names in alike)]


def count_rejected(found: Mapping) -> dict[str, int]:
    """Returns reason → number of rejected images of all splits in a summary, the most frequent first."""
    total: collections.Counter[str] = collections.Counter()
    for reasons in found["rejected"].values():
        total.update(reasons)
    return dict(total.most_common())


def dumps(found: Mapping) -> str:
    """Returns a summary as the text of SUMMARY_FILE."""
    return json.dumps(found, indent=1) + "\n"


def _alike(names: Iterable[str]) -> list[list[str]]:
    """Returns names that differ in spaces alone, or in how Unicode composes the same characters."""
    groups = collections.defaultdict(list)
    for name in names:
        groups[" ".join(unicodedata.normalize("NFC", name).split())].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _common(first: np.ndarray, second: np.ndarray) -> int:
    return len(np.intersect1d(first, second))
