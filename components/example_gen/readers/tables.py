"""Columns of a table in a file: CSV, TSV or Parquet."""

import csv
import dataclasses
import io
import itertools
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401 - Arrow before 14.0.1 runs what a file says about its types (CVE-2023-47248)

from components.artifacts import findings
from components.artifacts.findings import Finding
from components.example_gen import text

_LABELS = "label_key"  # the only key whose column may hold more than text and integers
_SHOWN = 40  # characters of a cell in a message
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclasses.dataclass(frozen=True)
class Columns:
    """What was read.

    Attributes:
      values: column → its values: text, integers, or, of labels, fractions, truth values, or lists of any of these.
      findings: what is suspicious.
    """

    values: dict[str, pa.ChunkedArray]
    findings: Sequence[Finding] = ()


def read_columns(path: str, keys: Mapping[str, str], encoding: str = "utf-8") -> Columns:
    """Reads columns of the manifest at `path`.

    Args:
      path: of a .csv, .tsv or .parquet file.
      keys: key of the configuration → column that it names.
      encoding: of a CSV or TSV.

    Raises:
      ValueError: the file cannot be read, has no rows, lacks a column, or has one that cannot be what it is said to be.
    """
    import tensorflow as tf

    suffix = posixpath.splitext(path)[1].lower()
    if suffix not in (*_DELIMITERS, ".parquet"):
        raise ValueError(f"manifest: {path!r} is not a .csv, .tsv or .parquet file")
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            content = file.read()
    except tf.errors.OpError as error:
        raise ValueError(f"manifest: {path!r} cannot be read: {error.message}") from error
    lines = None
    if suffix == ".parquet":
        table = _read_parquet(path, content, keys)
    else:
        # All of it is looked at: bytes that are no text in one column are seldom right in another.
        lines = text.decode("manifest", path, content, encoding)
        table = _read_lines(path, lines, _DELIMITERS[suffix], keys)
    if not len(table):
        raise ValueError(f"manifest: {path!r} has no rows")
    found = {column: _plain(path, key, column, table[column]) for key, column in keys.items()}
    for key, column in keys.items():
        _check_breaks(path, key, column, found[column], lines)
    return Columns(found, _find_long_rows(lines, len(table)) if suffix == ".csv" and lines else ())


def is_list(kind: pa.DataType) -> bool:
    """Returns whether a column of this type holds lists."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _read_parquet(path: str, content: bytes, keys: Mapping[str, str]) -> pa.Table:
    try:
        buffer = pa.BufferReader(content)
        _check_columns(path, keys, pq.read_schema(buffer).names)
        buffer.seek(0)
        return pq.read_table(buffer, columns=list(dict.fromkeys(keys.values())))
    except pa.ArrowInvalid as error:
        raise ValueError(f"manifest: {path!r} cannot be read: {error}") from error
    except RuntimeError as error:  # by the hotfix; its message has the program
        raise ValueError(
            f"manifest: {path!r} has a column whose type is a Python program, which is not run; write plain types"
        ) from error


def _read_lines(path: str, lines: str, delimiter: str, keys: Mapping[str, str]) -> pa.Table:
    is_csv = delimiter == ","
    try:
        # As text: 007 is a name, and so are NA and null.
        table = pyarrow.csv.read_csv(
            pa.BufferReader(lines.encode()),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, quote_char='"' if is_csv else False, newlines_in_values=is_csv
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(keys.values(), pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        header = lines.split("\n", 1)[0]
        if header.strip() and delimiter not in header:
            _check_columns(path, keys, [header.strip()])
        _check_lengths(path, lines, delimiter)
        raise ValueError(f"manifest: {path!r} cannot be read: {error}") from error
    _check_columns(path, keys, table.column_names)
    return table


def _check_lengths(path: str, lines: str, delimiter: str) -> None:
    """Refuses a row that has more or fewer cells than the header."""
    columns = None
    for row in _rows(lines, delimiter):
        columns = columns or row.cells
        if row.cells != columns:
            spans = f", and spans {row.last - row.first + 1} lines: if a quote is missing there, set it"
            raise ValueError(
                f"manifest: line {row.first} of {path!r} has {row.cells} cells, and the header {columns}"
                f"{spans if row.last > row.first else ''}"
            )


def _check_columns(path: str, keys: Mapping[str, str], there: list[str]) -> None:
    for key, column in keys.items():
        if there.count(column) != 1:
            has = "several columns" if column in there else "no column"
            raise ValueError(
                f"{key}: {path!r} has {has} {column!r}; its columns are {', '.join(there)}"
                f"{_suggest_delimiter(path, column, there)}"
            )


def _suggest_delimiter(path: str, column: str, there: list[str]) -> str:
    """Returns what a message says after the only column of a file, if another delimiter makes several of it."""
    for delimiter, name in {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "|"}.items():
        if len(there) == 1 and column in [cell.strip(' "') for cell in there[0].split(delimiter)]:
            suffix = next((suffix for suffix, own in _DELIMITERS.items() if own == delimiter), None)
            way_out = f"name it {suffix}" if suffix else "write it with commas"
            return f"; {name} seems to separate the cells of this {posixpath.splitext(path)[1]} file: {way_out}"
    return ""


def _plain(path: str, key: str, column: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns a column as text, integers, or what labels may be besides, whatever the file calls them."""
    plain = _plain_type(values.type, key == _LABELS)
    if plain is None:
        lists = ", or lists of them" if key == _LABELS else ""
        raise ValueError(
            f"{key}: column {column!r} of {path!r} is of type {values.type}; write text or integers{lists} (pandas "
            "makes fractions of integers with gaps: use its Int64)"
        )
    try:
        return values if is_list(values.type) else values.cast(plain)
    except pa.ArrowInvalid as error:
        raise ValueError(f"manifest: column {column!r} of {path!r} is not UTF-8: {error}") from error


def _plain_type(kind: pa.DataType, is_label: bool) -> pa.DataType | None:
    """Returns as what a column of type `kind` is read; None: it cannot be."""
    if is_list(kind):
        inner = kind.value_type
        fits = is_label and not is_list(inner) and not _is_bytes(inner) and _plain_type(inner, is_label) is not None
        return kind if fits else None
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type, is_label)
    if pa.types.is_integer(kind) or (is_label and (pa.types.is_floating(kind) or pa.types.is_boolean(kind))):
        return kind
    is_text = pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return pa.string() if is_text or _is_bytes(kind) else None


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _check_breaks(path: str, key: str, column: str, values: pa.ChunkedArray, lines: str | None) -> None:
    """Refuses a cell with a line break, which a quote without its other one makes of many rows."""
    if not pa.types.is_string(values.type):
        return
    broken = pc.fill_null(pc.match_substring_regex(values, "[\r\n]"), False).to_pylist()
    if True not in broken:
        return
    row = broken.index(True)
    cell = values[row].as_py()
    where = f"row {row + 1}" if lines is None else f"line {_line_of(lines, row)}"
    quote = "" if lines is None else "; if a quote is missing there, set it, or write a quote in a cell as two"
    raise ValueError(
        f"{key}: {where} of {path!r}: the cell of column {column!r} has {len(cell.splitlines())} lines, beginning with "
        f"{cell[:_SHOWN]!r}{quote}"
    )


class _Row(NamedTuple):
    """A row of a text that is not empty: its first and last line, from 1, and the number of its cells."""

    first: int
    last: int
    cells: int


def _rows(lines: str, delimiter: str = ",") -> Iterator[_Row]:
    """Yields the rows of a text, that of the header first."""
    file = io.StringIO(lines, newline="")
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    reader = csv.reader(file, delimiter=delimiter, quoting=quoting)
    before, limit = 0, csv.field_size_limit(len(lines) + 1)  # a quote may make one cell of the file
    try:
        for row in reader:
            if row:
                yield _Row(before + 1, reader.line_num, len(row))
            before = reader.line_num
    finally:
        csv.field_size_limit(limit)


def _line_of(lines: str, number: int) -> int:
    """Returns the first line of a row of a CSV, which are counted from 0 behind the header."""
    return next(itertools.islice(_rows(lines), number + 1, None)).first


def _find_long_rows(lines: str, rows: int) -> list[Finding]:
    """Returns the finding of rows with several lines: by now in columns that nobody asked for."""
    if '"' not in lines or lines.count("\n") <= rows:
        return []
    spans = [f"lines {row.first} to {row.last}" for row in _rows(lines) if row.last > row.first]
    return findings.list_names("long_rows", spans)
