"""A table of images: CSV or Parquet, a row an image."""

import collections
import itertools
import posixpath
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pydantic

from components.artifacts import findings, vocabulary
from components.example_gen import splits
from components.example_gen.readers import files, listing, names
from components.example_gen.readers.sieve import Sieve

_KEYS = ("image_key", "label_key", "split_key", "id_key")  # what names a column
_SHOWN = 5  # rows in a message


class ManifestReader(files.FileReader):
    """A table with a row for each image: CSV, TSV or Parquet.

    A relative path starts at the manifest's folder and may not leave it. Messages count the rows from 1, without the
    header.

    Attributes:
      manifest: path or URI of a `.csv`, `.tsv` or `.parquet` file.
      splits: A split of the data is a value of the column `split_key`.
      image_key: column with the path or URI of the image.
      label_key: column with the labels: names, integers (their digits are the names), or lists of either.
      separator: separates several labels in one text. null: a text is one label.
      split_key: column with the split. null: `splits` are shares.
      id_key: column with the id of the image. null: its path is the id.
      names: a file with the names of the labels in their order, one a line. null: the labels of the manifest, sorted.
    """

    manifest: str
    image_key: str = "path"
    label_key: str = "label"
    separator: str | None = pydantic.Field(None, min_length=1)
    split_key: str | None = None
    id_key: str | None = None
    names: str | None = None

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
        columns = self._columns()
        uris, _ = self._uris(columns)
        rows = zip(uris, listing.describe_files(uris), *(columns[key].to_pylist() for key in columns), strict=True)
        return listing.hash_entries([*(names.read_names(self.names) if self.names else ()), *rows])

    def allows_several_labels(self) -> bool:
        """See `Reader.has_several_labels`."""
        return self.separator is not None or _is_list(self._columns()[self.label_key].type)

    def list_images(self) -> files.Listing:
        """See `FileReader.list_images`.

        Raises:
          ValueError: the manifest cannot be read, lacks a column, or has a row that says too little.
        """
        columns = self._columns()
        uris, refused = self._uris(columns)
        texts = self._labels(columns[self.label_key])
        # Whoever names a text as an image is mistaken: only litter is ignored.
        sieve = Sieve(self.exclude, hidden=False, side_files=False)
        kept = [sieve.sift(path) is None for path in self._texts("image_key", columns)]
        if not any(kept):
            ignored = "; ".join(map(findings.describe, sieve.findings()))
            raise ValueError(f"image_key: column {self.image_key!r} of {self.manifest!r} names no image: {ignored}")
        in_use = {text for row in itertools.compress(texts, kept) for text in row}
        known = names.read_names(self.names) if self.names else sorted(in_use)
        index = {name: i for i, name in enumerate(known)}
        labelled = itertools.compress(enumerate(texts, 1), kept)
        unknown = {row: text for row, found in labelled for text in found if text not in index}
        if unknown:
            text = next(iter(unknown.values()))
            hint = names.suggest_names(text, known)
            self._refuse("label_key", unknown, f"the label {text!r} is not in {self.names!r}; {hint}")
        found = {
            "source_id": self._ids(columns),
            "uri": uris,
            "labels": [[index[text] for text in dict.fromkeys(row) if text in index] for row in texts],
            "split": self._splits(columns) if self.split_key else [None] * len(uris),
            "bytes": [size for size, _ in listing.describe_files(uris)],
            "refused": refused,
        }
        table = pa.table(found, schema=files.SCHEMA).filter(pa.array(kept))
        return files.Listing(table, vocabulary.make_vocabulary(known), sieve.findings())

    def _columns(self) -> dict[str, pa.ChunkedArray]:
        """Returns key → column of those that are asked for."""
        import tensorflow as tf

        wanted = [self.image_key, self.label_key, *filter(None, (self.split_key, self.id_key))]
        suffix = posixpath.splitext(self.manifest)[1].lower()
        if suffix not in (".csv", ".tsv", ".parquet"):
            raise ValueError(f"manifest: {self.manifest!r} is not a .csv, .tsv or .parquet file")
        try:
            with tf.io.gfile.GFile(self.manifest, "rb") as file:
                content = pa.BufferReader(file.read())
            if suffix == ".parquet":
                there = pq.read_schema(content).names
                content.seek(0)
            else:
                table = _csv(content, "\t" if suffix == ".tsv" else ",", wanted)
                there = table.column_names
            self._check_columns(there)
            if suffix == ".parquet":
                table = pq.read_table(content, columns=wanted)
        except (tf.errors.OpError, pa.ArrowInvalid) as error:
            raise ValueError(f"manifest: {self.manifest!r} cannot be read: {error}") from error
        if not len(table):
            raise ValueError(f"manifest: {self.manifest!r} has no rows")
        return {key: self._plain(key, table[key]) for key in wanted}

    def _check_columns(self, there: list[str]) -> None:
        for argument in _KEYS:
            key = getattr(self, argument)
            if key is not None and there.count(key) != 1:
                has = "several columns" if key in there else "no column"
                raise ValueError(f"{argument}: {self.manifest!r} has {has} {key!r}; its columns are {', '.join(there)}")

    def _plain(self, column: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Returns a column as text, integers, or lists of either, whatever the file calls them."""
        plain = _plain_type(values.type)
        is_list = _is_list(values.type)
        if plain is None or (is_list and column != self.label_key):
            argument = next(key for key in _KEYS if getattr(self, key) == column)
            lists = ", or lists of them" if argument == "label_key" else ""
            raise ValueError(
                f"{argument}: column {column!r} of {self.manifest!r} is of type {values.type}; write text or "
                f"integers{lists} (pandas makes fractions of integers with gaps: use its Int64)"
            )
        try:
            return values if is_list else values.cast(plain)
        except pa.ArrowInvalid as error:
            raise ValueError(f"manifest: column {column!r} of {self.manifest!r} is not UTF-8: {error}") from error

    def _uris(self, columns: dict[str, pa.ChunkedArray]) -> tuple[list[str], list[str | None]]:
        return files.resolve_paths(posixpath.dirname(self.manifest), self._texts("image_key", columns))

    def _ids(self, columns: dict[str, pa.ChunkedArray]) -> list[str]:
        argument = "id_key" if self.id_key else "image_key"
        ids = self._texts(argument, columns)
        repeated = {text for text, count in collections.Counter(ids).items() if count > 1}
        rows = [row for row, text in enumerate(ids, 1) if text in repeated]
        if rows:
            self._refuse(argument, rows, f"{ids[rows[0] - 1]!r} is not the only one of that name; ids must be unique")
        return ids

    def _splits(self, columns: dict[str, pa.ChunkedArray]) -> list[str]:
        found = self._texts("split_key", columns)
        own = [rule.own for rule in splits.parse_rules(self.splits).values() if rule.own is not None]
        for text in sorted(set(found) - set(own)):
            # Other splits need not be used, as trainval beside train and val, but this is a slip.
            if text.strip().casefold() in own:
                rows = [row for row, other in enumerate(found, 1) if other == text]
                self._refuse("split_key", rows, f"{text!r} is none of {', '.join(own)}; write them alike")
        return found

    def _texts(self, argument: str, columns: dict[str, pa.ChunkedArray]) -> list[str]:
        values = columns[getattr(self, argument)].to_pylist()
        empty = [row for row, value in enumerate(values, 1) if value in (None, "")]
        if empty:
            self._refuse(argument, empty, "it is empty")
        return [str(value) for value in values]

    def _labels(self, column: pa.ChunkedArray) -> list[list[str]]:
        values = column.to_pylist()
        if not _is_list(column.type):
            texts = ("" if value is None else str(value) for value in values)
            if self.separator is None:
                values = ([text] for text in texts)
            else:
                values = ([label.strip() for label in text.split(self.separator)] for text in texts)
        return [[str(label) for label in labels or () if label not in (None, "")] for labels in values]

    def _refuse(self, argument: str, rows: Iterable[int], message: str) -> None:
        rows = list(rows)
        shown = ", ".join(map(str, rows[:_SHOWN])) + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")
        column = getattr(self, argument)
        raise ValueError(
            f"{argument}: column {column!r} of {self.manifest!r}, row{'s' * (len(rows) > 1)} {shown}: {message}"
        )


def _csv(content: pa.BufferReader, delimiter: str, wanted: list[str]) -> pa.Table:
    # As text: 007 is a name, and so are NA and null.
    return pyarrow.csv.read_csv(
        content,
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
        ),
    )


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _plain_type(kind: pa.DataType) -> pa.DataType | None:
    """Returns as what a column of type `kind` is read: text, integers, or lists of either; None: it cannot be."""
    if _is_list(kind):
        inner = kind.value_type
        return None if _is_list(inner) or _is_bytes(inner) or _plain_type(inner) is None else kind
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_integer(kind):
        return kind
    is_text = pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return pa.string() if is_text or _is_bytes(kind) else None


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
