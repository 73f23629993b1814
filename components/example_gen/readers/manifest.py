"""A table of images: CSV or Parquet, a row an image."""

import collections
import functools
import posixpath
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pydantic

from components.artifacts import findings, vocabulary
from components.example_gen import splits
from components.example_gen.readers import files, labels, listing, tables
from components.example_gen.readers.sieve import Sieve
from components.settings import PathText

_KEYS = ("image_key", "label_key", "split_key", "id_key")  # what names a column
_SHOWN = 5  # rows in a message


class ManifestReader(labels.LabelColumn, files.FileReader):
    """A table with a row for each image: CSV, TSV or Parquet.

    A relative path starts at the manifest's folder and may not leave it. Messages count the rows from 1, without the
    header. A CSV may have quotes around a cell; in a TSV they are a part of it. With several labels an image may have
    several rows.

    Attributes:
      manifest: path or URI of a `.csv`, `.tsv` or `.parquet` file.
      splits: A split of the data is a value of the column `split_key`.
      image_key: column with the path or URI of the image.
      label_key: column with the labels: names, integers, or lists of either.
      separator: separates several labels in one text. null: a text is one label.
      split_key: column with the split. null: `splits` are shares.
      id_key: column with the id of the image. null: its path is the id.
      names: null: the labels of the manifest, sorted; the digits of integers are their names.
    """

    manifest: PathText
    image_key: str = "path"
    label_key: str = "label"
    separator: str | None = pydantic.Field(None, min_length=1)
    split_key: str | None = None
    id_key: str | None = None

    def check_fields(self) -> None:
        """See `Reader.check_fields`."""
        super().check_fields()
        if (self.split_key is None) == isinstance(self.splits["train"], str):
            raise ValueError(
                f"split_key: {self.split_key!r} with splits {dict(self.splits)}; names of splits need the column that "
                "holds them, and shares need none"
            )

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        columns = self._columns().values
        asked = self._asked(self._splits(columns))
        uris, _ = self._uris(columns, asked)
        rows = zip(*(columns[key].to_pylist() for key in columns), strict=True)
        files_there = zip(uris, listing.describe_files(uris), strict=True)
        return listing.hash_entries([*self.names_entries(), *rows, *files_there])

    def allows_several_labels(self) -> bool:
        """See `Reader.allows_several_labels`."""
        return self._has_several(self._columns().values[self.label_key])

    def list_images(self) -> files.Listing:
        """See `FileReader.list_images`.

        Raises:
          ValueError: the manifest cannot be read, lacks a column or a split, or has a row that says too little. Rows of
            splits that are not asked for may say anything.
        """
        read = self._columns()
        columns = read.values
        of_split = self._splits(columns)
        asked = self._asked(of_split)
        # Whoever names a text as an image is mistaken: only litter is ignored.
        sieve = Sieve(self.exclude, hidden=False, side_files=False)
        paths = self._texts("image_key", columns, asked)
        kept = [row for row, path in zip(asked, paths, strict=True) if sieve.sift(path) is None]
        if not kept:
            ignored = "; ".join(map(findings.describe, sieve.findings()))
            raise ValueError(f"image_key: column {self.image_key!r} of {self.manifest!r} names no image: {ignored}")
        every = self._labels(columns[self.label_key])
        values = [every[row] for row in kept]
        known = self.read_names()
        where = f"column {self.label_key!r} of {self.manifest!r}"
        form = labels.decide_form(values, known, self.label_format, where)
        if known is None:
            names = tuple(sorted({str(value) for row in values for value in row}))
            known = labels.Names(names, tuple(range(len(names))), "the manifest")

        def refuse(key: str, positions: Iterable[int], message: str) -> None:
            self._refuse(key, [kept[position] for position in positions], message)

        def refuse_repeated(positions: list[int], source_id: str) -> None:
            way_out = "" if self.id_key else ", unless several_labels is true"
            message = f"{source_id!r} is not the only one of that name; ids must be unique{way_out}"
            refuse("id_key" if self.id_key else "image_key", positions, message)

        uris, refused = self._uris(columns, kept)
        found: dict[str, list] = {
            "source_id": self._texts("id_key" if self.id_key else "image_key", columns, kept),
            "uri": uris,
            "labels": labels.map_rows(values, labels.LabelMap(known, form), functools.partial(refuse, "label_key")),
            "split": [of_split[row] for row in kept],
            "bytes": [size for size, _ in listing.describe_files(uris)],
            "refused": refused,
        }
        own = {of_split[row] for row in asked}
        others = collections.Counter(split for split in of_split if split is not None and split not in own)
        told = [*read.findings, *findings.list_counts("unused_splits", others), *sieve.findings()]
        several = self._has_several(columns[self.label_key])
        table = pa.table(files.merge_repeated(found, several, refuse_repeated), schema=files.SCHEMA)
        return files.Listing(table, vocabulary.make_vocabulary(known.names), told)

    def _columns(self) -> tables.Columns:
        """Returns key → column of those that are asked for."""
        keys = {key: getattr(self, key) for key in _KEYS if getattr(self, key) is not None}
        return tables.read_columns(self.manifest, keys, self.encoding)

    def _has_several(self, column: pa.ChunkedArray) -> bool:
        """Returns whether an image may have several labels. Lists say so themselves, but vectors do not."""
        is_listed = self.separator is not None or tables.is_list(column.type)
        return self.several_labels or (is_listed and self.label_format != "one_hot")

    def _uris(self, columns: dict[str, pa.ChunkedArray], rows: Sequence[int]) -> tuple[list[str], list[str | None]]:
        texts = self._texts("image_key", columns, rows)
        return files.resolve_paths(posixpath.dirname(self.manifest), texts, self.follow_links)

    def _splits(self, columns: dict[str, pa.ChunkedArray]) -> list[str | None]:
        """Returns the split of each row; None: the data have none."""
        every = range(len(columns[self.image_key]))
        if self.split_key is None:
            return [None for _ in every]
        found = self._texts("split_key", columns, every)
        own = [rule.own for rule in splits.parse_rules(self.splits).values() if rule.own is not None]
        folded = {split.strip().casefold() for split in own}
        for text in sorted(set(found) - set(own)):
            # Other splits need not be used, as trainval beside train and val, but this is a slip.
            if text.strip().casefold() in folded:
                rows = [row for row, other in enumerate(found) if other == text]
                self._refuse("split_key", rows, f"{text!r} is none of {', '.join(own)}; write them alike")
        return [*found]

    def _asked(self, of_split: Sequence[str | None]) -> list[int]:
        """Returns the rows whose splits are asked for."""
        rules = splits.parse_rules(self.splits)
        there = set(of_split)
        for ours, rule in rules.items():
            if rule.own not in there:
                raise files.missing_split(ours, rule.own, there)
        own = {rule.own for rule in rules.values()}
        return [row for row, split in enumerate(of_split) if split in own]

    def _texts(self, argument: str, columns: dict[str, pa.ChunkedArray], rows: Sequence[int]) -> list[str]:
        column = columns[getattr(self, argument)].to_pylist()
        values = [column[row] for row in rows]
        empty = [row for row, value in zip(rows, values, strict=True) if value in (None, "")]
        if empty:
            self._refuse(argument, empty, "it is empty")
        return [str(value) for value in values]

    def _labels(self, column: pa.ChunkedArray) -> list[list[labels.Value]]:
        rows = column.to_pylist()
        if not tables.is_list(column.type):
            rows = [[row] if self.separator is None or row is None else str(row).split(self.separator) for row in rows]
        if self.separator is not None:
            rows = [[value.strip() if isinstance(value, str) else value for value in row or ()] for row in rows]
        # NaN, which is not itself, is a gap of pandas'.
        return [[value for value in row or () if value not in (None, "") and value == value] for row in rows]

    def _refuse(self, argument: str, positions: Iterable[int], message: str) -> None:
        rows = [position + 1 for position in positions]
        shown = ", ".join(map(str, rows[:_SHOWN])) + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")
        column = getattr(self, argument)
        raise ValueError(
            f"{argument}: column {column!r} of {self.manifest!r}, row{'s' * (len(rows) > 1)} {shown}: {message}"
        )
