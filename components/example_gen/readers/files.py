"""What readers of single image files share: they list them, and workers read what is listed.

A list goes to the workers as Parquet files, a part each: with millions of images it is too long to be sent in a job.
"""

import abc
import collections
import itertools
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components import storage
from components.artifacts import vocabulary
from components.artifacts.findings import Finding
from components.artifacts.rejected import Rejection
from components.example_gen import splits
from components.example_gen.readers import listing, reader
from components.example_gen.readers.reader import Contents, FilePart, LabelledImage, Reader
from components.parallel_map import parallel_map

# More than any image of the most pixels that are allowed needs: a file of another kind is not drawn into memory.
_MOST_BYTES = 1 << 30
_PART_FILES = 4096
_HELD_BYTES = 32 << 20  # of files that are under way

SCHEMA = pa.schema(
    [
        ("source_id", pa.string()),
        ("uri", pa.string()),
        ("labels", pa.list_(pa.int32())),
        ("split", pa.string()),  # the data's own; null: they have none
        ("bytes", pa.int64()),
        ("refused", pa.string()),  # "reason: detail" if it is not to be read, else null
    ]
)


class Listing(NamedTuple):
    """What there is to read.

    Attributes:
      table: a row for each image, with the columns of SCHEMA.
      labels: the vocabulary.
      findings: what is suspicious.
    """

    table: pa.Table
    labels: vocabulary.Vocabulary
    findings: Sequence[Finding] = ()


class FileReader(Reader[FilePart]):
    """A reader of single files: a subclass says which.

    Attributes:
      exclude: patterns of files, and of folders with all that is in them, that are left out, by their path as it
        stands in the id, such as `drafts` or `*_mask.png`. `*` stands for any text, with slashes or without.
      follow_links: whether symbolic links are followed to folders, and out of the data's own folder, as stores such as
        DVC's make them; a link to a folder that it is in never is.
    """

    exclude: list[str] = []
    follow_links: bool = False

    @abc.abstractmethod
    def list_images(self) -> Listing:
        """Returns what there is."""

    def read_vocabulary(self) -> vocabulary.Vocabulary:
        """See `Reader.read_vocabulary`."""
        return self.list_images().labels

    def open(self, work: str) -> Contents:
        """See `Reader.open`."""
        rules = splits.parse_rules(self.splits)
        listed = self.list_images()
        table, labels = listed.table, listed.labels
        sizes: dict[str, int] = {}
        examples: dict[str, int] = {}
        label_counts: dict[str, np.ndarray] = {}
        parts: list[FilePart] = []
        for own in sorted({rule.own for rule in rules.values()}, key=str):
            rows = table if own is None else table.filter(pc.equal(table["split"], own))
            of_own = {ours: rule for ours, rule in rules.items() if rule.own == own}
            if not len(rows):
                there = pc.unique(table["split"]).to_pylist()
                raise missing_split(next(iter(of_own)), own, there, listed.findings)
            total = pc.sum(rows["bytes"]).as_py()
            counts = np.bincount(pc.list_flatten(rows["labels"]).to_numpy(), minlength=len(labels))
            for ours, rule in of_own.items():
                sizes[ours] = int(total * rule.share)
                examples[ours] = round(len(rows) * rule.share)
                label_counts[ours] = counts if rule.share == 1 else counts * rule.share
            for piece in _pieces(rows):
                path = posixpath.join(work, f"part-{len(parts):06d}.parquet")
                storage.write_table(path, piece)
                parts.append(FilePart(path, own, rules, len(piece)))
        sizes = {ours: sizes[ours] for ours in rules}
        return Contents(labels, sizes, parts, examples, label_counts, listed.findings)

    def read(self, part: FilePart) -> Iterator[LabelledImage | Rejection]:
        """See `Reader.read`."""
        return _read_all(storage.read_table(part.path).to_pylist())

    def sample(self, part: FilePart, count: int) -> Iterator[LabelledImage | Rejection]:
        """See `Reader.sample`. Those of all the part: neighbours are often of one label."""
        return _read_all(reader.spread_evenly(storage.read_table(part.path).to_pylist(), count))


def missing_split(
    split: str, own: str | None, there: Iterable[str | None], found: Iterable[Finding] = ()
) -> ValueError:
    """Returns the error of a split `own` of the data that `split`, ours, needs, and that is not `there`."""
    others = ", ".join(sorted(filter(None, set(there)))) or "none"
    return ValueError(f"splits.{split}: the data have no split {own!r}; they have {others}{explain_excluded(found)}")


def explain_excluded(found: Iterable[Finding]) -> str:
    """Returns what the end of a message says of files that `exclude` leaves out; empty: there are none."""
    excluded = [each for each in found if each.kind == "excluded"]
    return "".join(f"; exclude leaves out {each.count:,} files ({', '.join(each.examples)})" for each in excluded)


def _read_all(rows: Sequence[dict]) -> Iterator[LabelledImage | Rejection]:
    threads = max((storage.reading_threads(row["uri"]) for row in rows), default=1)
    return parallel_map(_read, rows, threads, lambda row: max(row["bytes"], 0), _HELD_BYTES)


def _read(row: dict) -> LabelledImage | Rejection:
    import tensorflow as tf

    source_id, uri = row["source_id"], row["uri"]
    if row["refused"] is not None:
        return Rejection(source_id, uri, *row["refused"].split(": ", 1))
    try:
        return LabelledImage(read_bytes(uri), tuple(row["labels"]), source_id, uri)
    except (OSError, tf.errors.OpError) as error:
        return Rejection(source_id, uri, "unreadable", getattr(error, "strerror", None) or str(error))


def read_bytes(uri: str) -> bytes:
    """Returns the bytes of a file.

    Raises:
      OSError, tf.errors.OpError: it is not there, not a file, too large, or may not be read.
    """
    if storage.is_remote(uri):
        import tensorflow as tf

        size = tf.io.gfile.stat(uri).length
        if size > _MOST_BYTES:
            raise OSError(f"{size} bytes are too many for an image")
        with tf.io.gfile.GFile(uri, "rb") as file:
            return file.read()
    state = os.stat(uri)
    if not stat.S_ISREG(state.st_mode):  # a pipe would never end
        raise OSError("not a file")
    if state.st_size > _MOST_BYTES:
        raise OSError(f"{state.st_size} bytes are too many for an image")
    with open(uri, "rb") as file:
        return file.read()


def merge_repeated(
    columns: dict[str, list], several_labels: bool, refuse: Callable[[list[int], str], None]
) -> dict[str, list]:
    """Returns `columns`, those of SCHEMA, with one row for each image.

    Args:
      columns: column → value of each row.
      several_labels: whether an image may have several labels: those of the rows of an image are then merged.
      refuse: called with the positions of rows whose id their split has before, and the first of these ids; raises an
        error.
    """
    rows_of: dict[tuple[str | None, str], list[int]] = collections.defaultdict(list)
    places = list(zip(columns["split"], columns["source_id"], strict=True))
    if len(set(places)) < len(places):
        for row, place in enumerate(places):
            rows_of[place].append(row)
    labels = columns["labels"]
    dropped: set[int] = set()
    wrong: list[int] = []
    for first, *others in rows_of.values():
        if others and (not several_labels or any(columns["uri"][row] != columns["uri"][first] for row in others)):
            wrong += [first, *others]
        elif others:
            labels[first] = sorted(set().union(*(labels[row] for row in (first, *others))))
            dropped.update(others)
    if wrong:
        refuse(sorted(wrong), columns["source_id"][min(wrong)])
    for row, found in enumerate(labels):
        if len(found) > 1 and not several_labels and columns["refused"][row] is None:
            columns["refused"][row] = f"several_labels: it has {len(found)}; set several_labels to true"
    return {name: [value for row, value in enumerate(values) if row not in dropped] for name, values in columns.items()}


def resolve_paths(base: str, paths: Sequence[str], follow_links: bool = False) -> tuple[list[str], list[str | None]]:
    """Returns the URIs of `paths` as a list of files names them, and why one is refused.

    What is absolute or a URI is taken as it is; what is relative starts at the folder `base`, and has to stay in it,
    but for what is behind a link, with `follow_links`.
    """
    refused = ["unreadable: its path has a zero byte" if "\0" in path else None for path in paths]
    bound = [
        i
        for i, path in enumerate(paths)
        if refused[i] is None and not storage.is_remote(path) and not posixpath.isabs(path)
    ]
    for i, is_outside in zip(bound, listing.find_escaping(base, [paths[i] for i in bound], follow_links), strict=True):
        if is_outside:
            refused[i] = f"outside_root: it leads out of {base}"
    return [listing.join(base, path) for path in paths], refused


def _pieces(rows: pa.Table) -> Iterator[pa.Table]:
    """Yields `rows` in runs of about 64 MB or more, or of 4096 files: two at least, so that workers share even few."""
    sizes = np.maximum(rows["bytes"].to_numpy(), 0)
    before = np.cumsum(sizes) - sizes
    most_files = min(_PART_FILES, max(1, -(-len(rows) // 2)))
    number = before // reader.part_bytes(int(sizes.sum())) + np.arange(len(rows)) // most_files
    starts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(rows)]
    for start, stop in itertools.pairwise(starts):
        yield rows.slice(start, stop - start)
