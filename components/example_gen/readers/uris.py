"""A list of images: a text file with a path or URI a line."""

import dataclasses
import functools
import posixpath

import pyarrow as pa

from components.artifacts import findings, vocabulary
from components.example_gen import splits
from components.example_gen import text as text_files
from components.example_gen.readers import files, labels, listing
from components.example_gen.readers.sieve import Sieve
from components.settings import PathText

_SHOWN = 5  # lines in a message


class UriListReader(labels.LabelColumn, files.FileReader):
    """A text file with the path or URI of an image on each line.

    A line is `URI` or `URI<TAB>label`; without a label, the name of the image's folder is its label. Empty lines and
    lines that begin with # are ignored, and so are files that systems leave, and text, tables and archives. A relative
    path starts at the list's folder and may not leave it. The id of an image is its path or URI. With several labels an
    image may have several lines.

    Attributes:
      uris: path or URI of the list. `{split}` in it stands for the split of the data: each has a list.
      splits: A split of the data is a text that takes the place of `{split}`.
      label_format: one_hot is not possible here.
      names: null: the labels of the lists, sorted.
    """

    uris: PathText

    def check_fields(self) -> None:
        """See `Reader.check_fields`."""
        splits.own_splits("uris", self.uris, self.splits)
        if self.label_format == "one_hot":
            raise ValueError("label_format: 'one_hot', but a line has one label; set it to name or index")

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        rows = self._rows(Sieve(self.exclude, hidden=False))
        states = listing.describe_files([row.uri for row in rows])
        return listing.hash_entries([*self.names_entries(), *zip(rows, states, strict=True)])

    def list_images(self) -> files.Listing:
        """See `FileReader.list_images`.

        Raises:
          ValueError: a list cannot be read, or has a line without a label, or one twice.
        """
        sieve = Sieve(self.exclude, hidden=False)
        rows = self._rows(sieve)
        values = [[row.label] for row in rows]
        known = self.read_names()
        form = labels.decide_form(values, known, self.label_format, f"{self.uris!r}")
        if known is None:
            names = tuple(sorted({row.label for row in rows}))
            known = labels.Names(names, tuple(range(len(names))), "the lists")
        mapping = labels.LabelMap(known, form)
        found: dict[str, list] = {
            "source_id": [row.text for row in rows],
            "uri": [row.uri for row in rows],
            "labels": labels.map_rows(values, mapping, functools.partial(_refuse, "label_format", rows)),
            "split": [row.split for row in rows],
            "bytes": [size for size, _ in listing.describe_files([row.uri for row in rows])],
            "refused": [row.refused for row in rows],
        }

        def refuse_repeated(positions: list[int], text: str) -> None:
            message = f"{text!r} is there several times; ids must be unique, unless several_labels is true"
            _refuse("uris", rows, positions, message)

        table = pa.table(files.merge_repeated(found, self.several_labels, refuse_repeated), schema=files.SCHEMA)
        return files.Listing(table, vocabulary.make_vocabulary(known.names), sieve.findings())

    def _rows(self, sieve: Sieve) -> list["_Row"]:
        rows = []
        for own in splits.own_splits("uris", self.uris, self.splits):
            path = self.uris if own is None else self.uris.replace(splits.PLACE, own)
            rows += _read(path, own, self.encoding, sieve, self.follow_links)
        return rows


@dataclasses.dataclass(frozen=True)
class _Row:
    """A line.

    Attributes:
      text: its path or URI, as it stands there.
      label: as it stands there, or the folder's name.
      split: the data's own that the list is of.
      uri: of the image.
      refused: why it is not to be read, or None.
      where: the line and its list, for messages.
    """

    text: str
    label: str
    split: str | None
    uri: str
    refused: str | None
    where: tuple[int, str]


def _refuse(key: str, rows: list[_Row], positions: list[int], message: str) -> None:
    numbers = [rows[position].where[0] for position in positions]
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    lines = ", ".join(map(str, numbers[:_SHOWN]))
    path = rows[positions[0]].where[1]
    raise ValueError(f"{key}: line{'s' * (len(numbers) > 1)} {lines}{more} of {path!r}: {message}")


def _read(path: str, own: str | None, encoding: str, sieve: Sieve, follow_links: bool) -> list[_Row]:
    found: list[tuple[str, str, int]] = []
    for number, line in enumerate(text_files.read_text("uris", path, encoding).split("\n"), 1):
        text, tab, label = line.partition("\t")
        text, label = text.strip(), label.strip()
        if not text or text.startswith("#") or sieve.sift(text):
            continue
        label = label if tab else posixpath.basename(posixpath.dirname(text))
        if not label or (not tab and label in (".", "..")):  # which are no names of folders
            raise ValueError(f"uris: line {number} of {path!r} has no label: {line!r}; write URI<TAB>label")
        if "\t" in label:
            raise ValueError(
                f"uris: line {number} of {path!r} has several tabs: {line[:80]!r}; write URI<TAB>label, or name a "
                "table as manifest"
            )
        if "\r" in text + label:
            raise ValueError(f"uris: line {number} of {path!r} has a line break in it: {line[:80]!r}; take it out")
        found.append((text, label, number))
    if not found:
        ignored = "; ".join(map(findings.describe, sieve.findings()))
        raise ValueError(f"uris: {path!r} names no image{f': {ignored}' if ignored else ''}")
    uris, refused = files.resolve_paths(posixpath.dirname(path), [text for text, _, _ in found], follow_links)
    return [
        _Row(text, label, own, uri, why, (number, path))
        for (text, label, number), uri, why in zip(found, uris, refused, strict=True)
    ]
