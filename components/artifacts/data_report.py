"""The report on a data set: two small files that an ExampleGen writes beside the index.

`counts.csv` has one row per label: index, name, and the number of examples in each split. `summary.json` has, for each
split, the numbers of examples, of converted images, and of rejected images by reason; for each pair of splits, the
numbers of different images and ids that are in both; and all findings, see `components.artifacts.findings`.
"""

import collections
import csv
import dataclasses
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.artifacts import findings, index, lookalikes
from components.artifacts.findings import Finding
from components.artifacts.rejected import DUPLICATE_IMAGE

COUNTS_FILE = "counts.csv"
SUMMARY_FILE = "summary.json"
COLUMNS = ("key", "labels", "converted", "flattened", "content_hash")  # of the index, from which a report is made


@dataclasses.dataclass(frozen=True)
class SplitReport:
    """The counts of a split.

    Attributes:
      label_counts: int64 [labels], number of (example, label) pairs of each label.
      keys: uint64 [examples], the keys of the ids, sorted.
      contents: uint64 [examples], 64 bits of each content hash, sorted.
      converted: number of examples whose image was converted before it was written.
      flattened: number of examples of 16 bits of which hardly anything is seen.
    """

    label_counts: np.ndarray
    keys: np.ndarray
    contents: np.ndarray
    converted: int
    flattened: int


def report_split(tables: Iterable[pa.Table], num_labels: int) -> SplitReport:
    """Returns the counts of a split. `tables` are its index, for example one per shard, with COLUMNS."""
    counts, converted, flattened = np.zeros(num_labels, np.int64), 0, 0
    keys, contents = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    for table in tables:
        counts += index.label_counts(index.label_pairs(table["labels"], num_labels), num_labels)
        converted += int(table["converted"].to_numpy().sum())
        flattened += pc.sum(table["flattened"]).as_py() or 0
        keys.append(table["key"].to_numpy())
        # 32 hex digits are two numbers of 64 bits, and one is enough to distinguish contents.
        digits = "".join(table["content_hash"].to_pylist())
        contents.append(np.frombuffer(bytes.fromhex(digits), ">u8")[::2].astype(np.uint64))
    return SplitReport(counts, np.sort(np.concatenate(keys)), np.sort(np.concatenate(contents)), converted, flattened)


def counts_csv(splits: Mapping[str, SplitReport], names: tuple[str, ...]) -> str:
    """Returns the content of COUNTS_FILE."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # a name may hold a carriage return
    rows.writerow(["index", "name", *splits])
    for label, name in enumerate(names):
        rows.writerow([label, name, *(int(found.label_counts[label]) for found in splits.values())])
    return text.getvalue()


def summarise(
    splits: Mapping[str, SplitReport],
    rejected: Mapping[str, Mapping[str, int]],
    names: Sequence[str],
    reader_findings: Iterable[Finding] = (),
    train_counts: np.ndarray | None = None,
) -> dict:
    """Returns the content of SUMMARY_FILE.

    Args:
      splits: split → its counts.
      rejected: split → reason → number of images.
      names: the names of all labels.
      reader_findings: what the reader has found.
      train_counts: number of images of each label in train, [labels]; None: nothing is said of labels with too few.
    """
    pairs = list(itertools.combinations(splits, 2))
    same_image = {f"{a}, {b}": _count_common(splits[a].contents, splits[b].contents) for a, b in pairs}
    same_id = {f"{a}, {b}": _count_common(splits[a].keys, splits[b].keys) for a, b in pairs}
    found = {
        "examples": {name: len(found.keys) for name, found in splits.items()},
        "converted": {name: found.converted for name, found in splits.items()},
        "rejected": {name: dict(reasons) for name, reasons in rejected.items()},
        "same_image": same_image,
        "same_id": same_id,
    }
    repeated = [
        Finding(kind, count, where=pair)
        for kind, counts in (("same_image", same_image), ("same_id", same_id))
        for pair, count in counts.items()
        if count
    ]
    copies = {split: len(found.contents) - len(np.unique(found.contents)) for split, found in splits.items()}
    repeated += [Finding("repeated_image", count, where=split) for split, count in copies.items() if count]
    flattened = [Finding("flattened", found.flattened, where=name) for name, found in splits.items() if found.flattened]
    aside = count_rejected(found)
    copies_aside = {reason: aside.pop(reason) for reason in [DUPLICATE_IMAGE] if reason in aside}
    found["findings"] = [
        dataclasses.asdict(finding)
        for finding in (
            *reader_findings,
            *repeated,
            *flattened,
            *(() if train_counts is None else _find_scarce(splits, names, train_counts)),
            *lookalikes.find_lookalikes(names),
            *findings.list_counts("set_aside", aside),
            *findings.list_counts("set_aside_copies", copies_aside),
        )
    ]
    return found


def _find_scarce(
    splits: Mapping[str, SplitReport], names: Sequence[str], train_counts: np.ndarray
) -> Iterator[Finding]:
    """Yields the labels without an image in train, by the splits that have some, and those with a single one."""
    by_splits: dict[str, list[str]] = collections.defaultdict(list)
    for label in np.flatnonzero(train_counts == 0).tolist():
        having = (split for split, found in splits.items() if split != "train" and found.label_counts[label])
        by_splits[", ".join(having)].append(names[label])
    for where, labels in by_splits.items():
        yield from findings.list_names("without_train", labels, where)
    single = np.flatnonzero(train_counts == 1).tolist()
    yield from findings.list_names("single_image", [names[label] for label in single])


def count_rejected(found: Mapping) -> dict[str, int]:
    """Returns reason → number of rejected images in all splits of a summary, the most frequent first."""
    total: collections.Counter[str] = collections.Counter()
    for reasons in found["rejected"].values():
        total.update(reasons)
    return dict(total.most_common())


def dumps(found: Mapping) -> str:
    """Returns a summary as the text of SUMMARY_FILE."""
    return json.dumps(found, indent=1) + "\n"


def _count_common(first: np.ndarray, second: np.ndarray) -> int:
    return len(np.intersect1d(first, second))
