"""A sample of a data set, as the ExampleGen would write it, in memory."""

import collections
import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from components.example_gen import equal_images
from components.example_gen.examples import ImageChecker, Indexed, order_of
from components.example_gen.readers.reader import Contents, Part, Reader, spread_evenly

_PARTS = 16  # of a split that are looked into: each costs opening a file
_HELD = 256 << 20  # bytes of examples that are kept


@dataclasses.dataclass(frozen=True)
class Sample:
    """What was found.

    Attributes:
      rows: our split → rows of the index.
      examples: the first examples of each part that was looked into, of all splits.
      rejections: our split → rows of the table of rejections.
      seconds: that reading and checking took, without the opening of files.
      whole: our splits that had fewer images than were asked for: these are all of them.
    """

    rows: dict[str, list[dict]]
    examples: list[Indexed]
    rejections: dict[str, list[dict]]
    seconds: float
    whole: frozenset[str]

    @property
    def all_rows(self) -> list[dict]:
        """The rows of the index of all splits."""
        return [row for rows in self.rows.values() for row in rows]

    @property
    def all_rejections(self) -> list[dict]:
        """The rejections of all splits."""
        return [row for rows in self.rejections.values() for row in rows]

    @property
    def read(self) -> dict[str, int]:
        """Our split → how many of its images were read."""
        return {split: len(self.rows[split]) + len(self.rejections[split]) for split in self.rows}


def draw_sample(reader: Reader, contents: Contents, check: ImageChecker, images: int) -> Sample:
    """Reads and checks `images` images of each of the data's own splits, or all if there are fewer.

    They come from all over the data: from parts, and of single files from places in them, that are evenly spaced.

    Args:
      reader: of the data.
      contents: what it opened.
      check: how images are checked.
      images: how many, at least 1.
    """
    groups: dict[tuple[str, ...], list[Part]] = collections.defaultdict(list)
    for part in contents.parts:
        groups[part.splits].append(part)
    chosen = [(part, count) for parts in groups.values() for part, count in _shared(parts, images)]
    rows: dict[str, list[dict]] = {split: [] for split in contents.sizes}
    rejections: dict[str, list[dict]] = {split: [] for split in contents.sizes}
    examples: list[Indexed] = []
    exhausted: collections.Counter[tuple[str, ...]] = collections.Counter()
    held, seconds = 0, 0.0
    for number, (part, count) in enumerate(chosen, 1):
        images_of_part = iter(reader.sample(part, count))
        items = list(itertools.islice(images_of_part, 1))
        start = time.perf_counter()  # of a whole part, what it costs to open it is nothing
        items += images_of_part
        exhausted[part.splits] += len(items) < count
        for split, item in check.all(part, items):
            if not item.image:
                rejections[split].append(item.row)
                continue
            rows[split].append(item.row)
            if held < number * _HELD // len(chosen):
                examples.append(item)
                held += len(item.image)
        seconds += time.perf_counter() - start
    whole = frozenset(split for ours, parts in groups.items() if exhausted[ours] == len(parts) for split in ours)
    decisions = _decide(rows, check.names, reader.allows_several_labels())
    kept = {split: _keep(of_split, decisions, rejections[split]) for split, of_split in rows.items()}
    written = {id(row): taken for of_split in kept.values() for row, taken in of_split}
    return Sample(
        {split: [taken for _, taken in of_split] for split, of_split in kept.items()},
        [Indexed(item.image, written[id(item.row)]) for item in examples if id(item.row) in written],
        rejections,
        seconds,
        whole,
    )


def _decide(rows: Mapping[str, list[dict]], names: Sequence[str], several_labels: bool) -> list[dict]:
    """Returns what becomes of equal images, as in an ingestion."""
    entries = pa.Table.from_pylist([row for of_split in rows.values() for row in of_split], equal_images.ENTRIES)
    return list(equal_images.decide(entries, names, several_labels))


def _keep(rows: list[dict], decisions: Sequence[dict], rejections: list[dict]) -> list[tuple[dict, dict]]:
    """Returns (row as it was read, row as it is written) of what is taken of a split; the others become rejections."""
    found: dict[int, dict] = {}
    selection = equal_images.Selection(decisions)
    for row in sorted(rows, key=order_of):
        image = equal_images.key_of(row)
        if rejection := selection.reject(row["key"], *image):
            rejections.append(rejection)
        else:
            labels = selection.new_labels(*image)
            found[id(row)] = row if labels is None else {**row, "labels": labels}
    return [(row, found[id(row)]) for row in rows if id(row) in found]


def _shared(parts: Sequence[Part], images: int) -> list[tuple[Part, int]]:
    """Returns some of `parts`, and how many images are read of each."""
    chosen = spread_evenly(parts, min(_PARTS, images))
    shares = np.cumsum([max(part.weight, 1) for part in chosen])
    counts = np.diff(np.round(images * shares / shares[-1]).astype(int), prepend=0).tolist()
    return list(zip(chosen, counts, strict=True))
