"""Columns of a table in a file: CSV, TSV or Parquet."""

import csv
import dataclasses
import io
import posixpath
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from components.artifacts import findings
from components.artifacts.findings import Finding
from components.example_gen import text

_LABELS = "label_key"  # the only key whose column may hold more than text and integers
_SHOWN = 40  # characters of a cell in a message


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
    if suffix not in (".csv", ".tsv", ".parquet"):
        raise ValueError(f"manifest: {path!r} is not a .csv, .tsv or .parquet file")
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            content = file.read()
        if suffix == ".parquet":
            buffer = pa.BufferReader(content)
            _check_columns(path, keys, pq.read_schema(buffer).names)
            buffer.seek(0)
            table, lines = pq.read_table(buffer, columns=list(keys.values())), None
        else:
            # All of it is looked at: bytes that are no text in one column are seldom right in another.
            lines = text.decode("manifest", path, content, encoding)
            table = _read_text(lines, "\t" if suffix == ".tsv" else ",", list(keys.values()))
            _check_columns(path, keys, table.column_names)
    except (tf.errors.OpError, pa.ArrowInvalid) as error:
        raise ValueError(f"manifest: {path!r} cannot be read: {error}") from error
    if not len(table):
        raise ValueError(f"manifest: {path!r} has no rows")
    found = {column: _plain(path, key, column, table[column]) for key, column in keys.items()}
    for key, column in keys.items():
        _check_breaks(path, key, column, found[column], lines)
    return Columns(found, _find_long_cells(lines, len(table)) if suffix == ".csv" and lines else ())


def is_list(kind: pa.DataType) -> bool:
    """Returns whether a column of this type holds lists."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _read_text(lines: str, delimiter: str, wanted: list[str]) -> pa.Table:
    is_csv = delimiter == ","
    # As text: 007 is a name, and so are NA and null.
    return pyarrow.csv.read_csv(
        pa.BufferReader(lines.encode()),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter, quote_char='"' if is_csv else False, newlines_in_values=is_csv
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
        ),
    )


def _check_columns(path: str, keys: Mapping[str, str], there: list[str]) -> None:
    for key, column in keys.items():
        if there.count(column) != 1:
            has = "several columns" if column in there else "no column"
            raise ValueError(f"{key}: {path!r} has {has} {column!r}; its columns are {', '.join(there)}")


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


def _rows(lines: str) -> Iterator[tuple[int, int]]:
    """Yields the first and the last line of each row that is not empty, the header's first; from 1."""
    reader = csv.reader(io.StringIO(lines, newline=""))
    before = 0
    for row in reader:
        if row:
            yield before + 1, reader.line_num
        before = reader.line_num


def _line_of(lines: str, row: int) -> int:
    return next(first for number, (first, _) in enumerate(_rows(lines)) if number == row + 1)


def _find_long_cells(lines: str, rows: int) -> list[Finding]:
    """Returns the finding of rows with several lines: by now in columns that nobody asked for."""
    if '"' not in lines or lines.count("\n") <= rows:
        return []
    spans = [(first, last) for first, last in _rows(lines) if last > first]
    return findings.list_names("long_rows", [f"lines {first} to {last}" for first, last in spans])
