"""A list of images: a text file with a path or URI a line."""

import dataclasses
import posixpath

import pyarrow as pa

from components import storage
from components.artifacts import findings, vocabulary
from components.example_gen import splits
from components.example_gen.readers import files, listing
from components.example_gen.readers.sieve import Sieve


class UriListReader(files.FileReader):
    """A text file with the path or URI of an image on each line.

    A line is `URI` or `URI<TAB>label`; without a label, the name of the image's folder is its label. Empty lines and
    lines that begin with # are ignored, and so are files that systems leave, and text, tables and archives. A relative
    path starts at the list's folder and may not leave it. The id of an image is its path or URI.

    Attributes:
      uris: path or URI of the list. `{split}` in it stands for the split of the data: each has a list.
      splits: A split of the data is a text that takes the place of `{split}`.
    """

    uris: str

    def check_fields(self) -> None:
        """See `Reader.check_fields`."""
        splits.own_splits("uris", self.uris, self.splits)

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        rows = self._rows(Sieve(self.exclude, hidden=False))
        return listing.hash_entries(zip(rows, listing.describe_files([row.uri for row in rows]), strict=True))

    def allows_several_labels(self) -> bool:
        """See `Reader.has_several_labels`."""
        return False

    def list_images(self) -> files.Listing:
        """See `FileReader.list_images`.

        Raises:
          ValueError: a list cannot be read, or has a line without a label, or one twice.
        """
        sieve = Sieve(self.exclude, hidden=False)
        rows = self._rows(sieve)
        names = sorted({row.label for row in rows})
        index = {name: i for i, name in enumerate(names)}
        found = {
            "source_id": [row.text for row in rows],
            "uri": [row.uri for row in rows],
            "labels": [[index[row.label]] for row in rows],
            "split": [row.split for row in rows],
            "bytes": [size for size, _ in listing.describe_files([row.uri for row in rows])],
            "refused": [row.refused for row in rows],
        }
        table = pa.table(found, schema=files.SCHEMA)
        return files.Listing(table, vocabulary.make_vocabulary(names), sieve.findings())

    def _rows(self, sieve: Sieve) -> list["_Row"]:
        rows = []
        for own in splits.own_splits("uris", self.uris, self.splits):
            path = self.uris if own is None else self.uris.replace(splits.PLACE, own)
            rows += _read(path, own, sieve)
        return rows


@dataclasses.dataclass(frozen=True)
class _Row:
    text: str
    label: str
    split: str | None
    uri: str
    refused: str | None


def _read(path: str, own: str | None, sieve: Sieve) -> list[_Row]:
    import tensorflow as tf

    try:
        lines = storage.read_text(path).split("\n")
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise ValueError(f"uris: {path!r} cannot be read: {error}") from error
    texts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text, tab, label = line.partition("\t")
        text, label = text.strip(), label.strip()
        if not text or text.startswith("#") or sieve.sift(text):
            continue
        label = label if tab else posixpath.basename(posixpath.dirname(text))
        if not label:
            raise ValueError(f"uris: line {number} of {path!r} has no label: {line!r}; write URI<TAB>label")
        if text in texts:
            raise ValueError(f"uris: line {number} of {path!r} names {text!r} a second time; ids must be unique")
        texts[text] = label
    if not texts:
        ignored = "; ".join(map(findings.describe, sieve.findings()))
        raise ValueError(f"uris: {path!r} names no image{f': {ignored}' if ignored else ''}")
    uris, refused = files.resolve_paths(posixpath.dirname(path), list(texts))
    return [
        _Row(text, label, own, uri, why) for (text, label), uri, why in zip(texts.items(), uris, refused, strict=True)
    ]
