"""From what the data say of an image's labels to indices into the vocabulary, and the keys that tell how.

Data hold names, or indices of names, or vectors of 0 and 1 with a place for each name. A wrong guess would train a
network on wrong labels, so nothing is guessed: what fits several readings, or none, is an error that names the key.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Union

import pydantic

from components.example_gen import text
from components.example_gen.readers import names
from components.example_gen.readers.names import Names
from components.settings import PathText, StrictModel

LabelFormat = Literal["name", "index", "one_hot"]
Value = Union[str, int, float, bool]  # noqa: UP007 - a name in annotations

SAMPLED = 100  # images by which readers that do not list all labels see what these are
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")
_WHOLE = re.compile(r"\s*([+-]?[0-9]+)(\.0*)?\s*")  # as pandas writes integers with gaps
_LIST = re.compile(r"""\s*\[\s*([-+0-9.,\s]*|'.*'|".*")\s*\]\s*""", re.DOTALL)  # as Python writes one
_SHOWN = 5


class LabelColumn(StrictModel):
    """The keys of readers whose data say the labels in a column or a feature.

    Attributes:
      label_format: what the labels are. name: names. index: integers that count the names. one_hot: vectors of 0 and 1,
        with a place for each name. null: names or integers, as the data show.
      first_label: the index of the first name; 1 where the labels are counted from 1.
      names: a file with the names of the labels in their order, one a line; or with an index before each (`0:name`), or
        a label map (`item { id: 1 name: 'cat' }`).
      encoding: encoding of the text files, as Python calls it: utf-8, latin-1, cp1252, … A byte order mark tells more.
        Labels in records are text of this encoding where they are not UTF-8.
    """

    label_format: LabelFormat | None = None
    first_label: int = pydantic.Field(0, ge=0)
    names: PathText | None = None
    encoding: text.Encoding = "utf-8"

    @pydantic.model_validator(mode="after")
    def _check_labels(self) -> "LabelColumn":
        if self.names is None and self.label_format in ("index", "one_hot"):
            raise ValueError(f"names: null, and label_format is {self.label_format!r}; give a file with the names")
        if self.names is None and self.first_label:
            raise ValueError(f"first_label: {self.first_label}, and names is null; give a file with the names")
        if self.label_format in ("name", "one_hot") and self.first_label:
            raise ValueError(f"first_label: {self.first_label} with label_format {self.label_format!r}; it needs index")
        return self

    def read_names(self) -> "Names | None":
        """Returns what stands in the file of names, or None if there is no such key.

        Raises:
          ValueError: it cannot be read, or `first_label` contradicts it.
        """
        return names.read_names(self.names, self.first_label, self.encoding) if self.names else None

    def plain_labels(self, values: Iterable[Value | bytes]) -> list[Value]:
        """Returns the labels of an image, of which bytes become text: that of UTF-8, or else of `encoding`."""
        return [self._decode(value) if isinstance(value, bytes) else value for value in values]

    def _decode(self, value: bytes) -> str:
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode(self.encoding, "backslashreplace")

    def names_entries(self) -> list[object]:
        """Returns what a fingerprint takes of the file of names."""
        known = self.read_names()
        return [] if known is None else list(zip(known.indices, known.names, strict=True))


class WrongLabelError(ValueError):
    """A label that cannot be what the configuration says: its message follows on a place in the data.

    Attributes:
      index: the label, if it is an index that no name has.
    """

    def __init__(self, message: str, index: int | None = None, hint: Callable[[], str] = str):
        super().__init__(message)
        self.index, self._hint = index, hint

    def __str__(self) -> str:
        # Only of an error that is told: with many names a hint takes long.
        return f"{self.args[0]}{self._hint()}"


@dataclasses.dataclass(frozen=True)
class LabelMap:
    """How labels are read.

    Attributes:
      known: the names.
      form: what the labels are.
    """

    known: Names
    form: LabelFormat

    @functools.cached_property
    def _of_name(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.known.names)}

    @functools.cached_property
    def _of_index(self) -> dict[int, int]:
        return {index: i for i, index in enumerate(self.known.indices)}

    def find(self, values: Sequence[Value]) -> tuple[int, ...]:
        """Returns the labels of an image, each once: indices into the vocabulary.

        Raises:
          WrongLabelError: one of `values` is none.
        """
        if self.form == "one_hot":
            return self._ones(values)
        found = self._find_names(values) if self.form == "name" else self._find_indices(values)
        return tuple(dict.fromkeys(found))

    def _find_names(self, values: Sequence[Value]) -> list[int]:
        for value in values:
            if str(value) not in self._of_name:
                hint = functools.partial(self._suggest, value)
                raise WrongLabelError(f"the label {value!r} is not in {self.known.origin}; ", hint=hint)
        return [self._of_name[str(value)] for value in values]

    def _suggest(self, value: Value) -> str:
        is_index = _read_index(value) is not None
        near = names.suggest_names(str(value), self.known.names)
        return near + "; for integers that count the names, set label_format: index" * is_index

    def _find_indices(self, values: Sequence[Value]) -> list[int]:
        found = []
        for value in values:
            index = _read_index(value)
            if index is None:
                raise WrongLabelError(f"the label {value!r} is no index of a name; write integers, or set label_format")
            if index not in self._of_index:
                raise WrongLabelError(f"no name has the index {index}", index)
            found.append(self._of_index[index])
        return found

    def _ones(self, values: Sequence[Value]) -> tuple[int, ...]:
        size = len(self.known.names)
        if not values:
            return ()
        if len(values) != size or not all(map(_is_bit, values)):
            raise WrongLabelError(
                f"the label {_show(values)} is no vector of {size} numbers 0 and 1, a place for each name in "
                f"{self.known.origin}; label_format: one_hot reads nothing else"
            )
        return tuple(i for i, value in enumerate(values) if int(value))

    def explain_range(self, values: Iterable[Value]) -> str:
        """Returns what is wrong with the indices among `values`, of which one at least has no name."""
        found = [index for index in map(_read_index, values) if index is not None]
        least, most = min(found), max(found)
        names, indices = self.known.names, self.known.indices
        said = (
            f"the labels are {least} to {most}, but the {len(names)} names in {self.known.origin} have the indices "
            f"{indices[0]} to {indices[-1]} ({names[0]!r} to {names[-1]!r})"
        )
        if least < 0:
            return f"{said}; no index is below 0; leave it out where an image has no label"
        first = min(max(1, most - len(names) + 1), least)
        is_likely = first == 1 or most - least + 1 == len(names)
        if is_likely and most - first < len(names) and not self.known.are_numbered:
            return f"{said}; if the first name has the label {first}, set first_label: {first}"
        return f"{said}; give the names of all labels in their order, or an index before each (0:name)"


def decide_form(
    rows: Iterable[Sequence[Value]], known: Names | None, setting: LabelFormat | None, where: str
) -> LabelFormat:
    """Returns what labels are.

    Args:
      rows: the labels of images: of all, or of some.
      known: the names; None: the labels are names, or digits are.
      setting: what the configuration says of it.
      where: what holds the labels, for messages.

    Raises:
      ValueError: they are what the configuration does not say, or fit several readings.
    """
    if setting in ("index", "one_hot"):
        return setting
    some = [row for row in rows if len(row)]
    values = {value for row in some for value in row}
    are_vectors = _are_vectors(some, None if known is None else len(known.names))
    if setting is None and are_vectors:
        names = "a file of as many names" if known is None else f"one for each of the {len(known.names)} names"
        raise ValueError(
            f"label_key: {where} has vectors of {len(some[0])} numbers 0 and 1, such as {_show(some[0])}; if these are "
            f"places of labels, {names}, set label_format: one_hot; else set it to what they are"
        )
    odd = sorted((value for value in values if isinstance(value, (bool, float))), key=str)
    if odd:
        if are_vectors:
            raise ValueError(f"label_key: {where} has vectors, such as {_show(some[0])}; set label_format: one_hot")
        whole = all(map(is_integer, odd)) and not any(isinstance(value, bool) for value in odd)
        way_out = "set label_format: index (with names) if they are indices" if whole else "write names or integers"
        kind = "true and false" if any(isinstance(value, bool) for value in odd) else "floating-point numbers"
        raise ValueError(f"label_key: {where} has {kind}, such as {odd[0]}; {way_out}")
    if setting is None and values and all(isinstance(value, str) and _LIST.fullmatch(value) for value in values):
        raise ValueError(
            f"label_key: {where} has lists that are written as text, such as {min(values, key=str)!r}; write a column "
            "of lists (Parquet), or names with a separator; if each text is a name, set label_format: name"
        )
    if setting == "name" or known is None or not all(map(is_integer, values)):
        return "name"
    texts = {str(value) for value in values} & set(known.names)
    by_index = dict(zip(known.indices, known.names, strict=True))
    if len(texts) < len(values):
        # Numbers of which some are names and some are not are a slip in the names, and not of another kind.
        return "name" if texts and any(isinstance(value, str) for value in values) else "index"
    differing = sorted(name for name in texts if by_index.get(int(name)) != name)
    if differing:
        indexed = by_index.get(int(differing[0]))
        raise ValueError(
            f"label_key: {where} has integers, and {known.origin} has the same as names, in another order: is "
            f"{differing[0]} a name, or the index of {indexed!r}? Set label_format to name or index"
        )
    return "index"


def map_rows(
    rows: Sequence[Sequence[Value]], mapping: LabelMap, refuse: Callable[[list[int], str], None]
) -> list[list[int]]:
    """Returns the labels of each row.

    Args:
      rows: what the data say.
      mapping: how it is read.
      refuse: called with the positions of wrong rows and what is wrong; raises an error.
    """
    found: list[list[int]] = []
    wrong: dict[int, WrongLabelError] = {}
    for position, row in enumerate(rows):
        try:
            found.append(list(mapping.find(row)))
        except WrongLabelError as error:
            found.append([])
            wrong[position] = error
    if wrong:
        first = next(iter(wrong.values()))
        alike = [position for position, error in wrong.items() if (error.index is None) == (first.index is None)]
        if first.index is None:
            refuse(alike, str(first))
        refuse(alike, mapping.explain_range(value for row in rows for value in row))
    return found


def is_integer(value: Value) -> bool:
    """Returns whether `value` is an integer, or a text or a fraction that says one."""
    if isinstance(value, str):
        return _INTEGER.fullmatch(value) is not None
    return not isinstance(value, bool) and float(value).is_integer()


def _read_index(value: Value) -> int | None:
    """Returns the integer that `value` is, also as a text or as a whole floating-point number; else None."""
    if isinstance(value, str):
        whole = _WHOLE.fullmatch(value)
        return int(whole[1]) if whole else None
    return int(value) if is_integer(value) else None


def _is_bit(value: Value) -> bool:
    return value in ("0", "1") if isinstance(value, str) else value in (0, 1)


def _are_vectors(rows: Sequence[Sequence[Value]], names: int | None) -> bool:
    """Returns whether `rows` look like vectors: all of a length, and of 0 and 1, which labels would not repeat."""
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or not all(_is_bit(value) for row in rows for value in row):
        return False
    (length,) = lengths
    if length != 2:
        return length > 2
    # Of labels that are listed in order, many images may have the same two.
    return names in (None, 2) or any(row[0] == row[1] for row in rows) or len({tuple(row) for row in rows}) > 1


def _show(values: Sequence[Value]) -> str:
    shown = ", ".join(map(str, values[:_SHOWN])) + (", …" if len(values) > _SHOWN else "")
    return f"[{shown}]"
