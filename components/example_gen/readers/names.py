"""Files of label names: a name a line, an index before each, or a label map."""

import dataclasses
import difflib
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, message_factory, text_format

from components.example_gen import text

_NUMBERED = re.compile(r"\s*([0-9]+)\s*:\s*(\S.*?)\s*")  # 0:name
_ITEM = re.compile(r"^\s*item\s*:?\s*[{<]", re.MULTILINE)  # of a label map


@dataclasses.dataclass(frozen=True)
class Names:
    """Label names.

    Attributes:
      names: in the order of the vocabulary.
      indices: of each in the data, ascending.
      origin: the file that they stand in, as a message shows it.
      are_numbered: whether it says the indices itself.
    """

    names: tuple[str, ...]
    indices: tuple[int, ...]
    origin: str
    are_numbered: bool = False


def read_names(path: str, first_label: int = 0, encoding: str = "utf-8") -> Names:
    """Reads the file of names at `path`; empty lines at its end do not count.

    Raises:
      ValueError: it cannot be read, is empty, has an empty line among the others, has a name twice, or numbers its
        names in another way than `first_label` says.
    """
    content = text.read_text("names", path, encoding)
    numbered = _read_label_map(path, content) if _ITEM.search(content) else _read_numbered(content)
    if numbered is None:
        lines = [line.strip() for line in content.rstrip().split("\n")]
        if "" in lines:
            raise ValueError(f"names: line {lines.index('') + 1} of {path!r} is empty; it needs a label name a line")
        _check_unique(path, "lines", dict(enumerate(lines, 1)))
        return Names(tuple(lines), tuple(range(first_label, first_label + len(lines))), repr(path))
    indices = tuple(sorted(numbered))
    _check_unique(path, "indices", numbered)
    if first_label not in (0, indices[0]):
        raise ValueError(f"first_label: {first_label}, but {path!r} numbers its names from {indices[0]}; leave it out")
    return Names(tuple(numbered[index] for index in indices), indices, repr(path), are_numbered=True)


def _read_numbered(content: str) -> dict[int, str] | None:
    """Returns index → name of lines such as `0:name`; None if they are not, or a number stands twice.

    Pairs of numbers are only believed if they count from 0 or 1: 4:3 and 16:9 are names.
    """
    lines = [_NUMBERED.fullmatch(line) for line in content.split("\n") if line.strip()]
    found = {int(line[1]): line[2] for line in lines if line}
    if not found or len(found) < len(lines):
        return None
    is_run = min(found) in (0, 1) and max(found) - min(found) == len(found) - 1
    return None if all(name.isdigit() for name in found.values()) and not is_run else found


def _check_unique(path: str, what: str, names: Mapping[int, str]) -> None:
    """Refuses a name that stands twice; `names` is index or line → name."""
    first: dict[str, int] = {}
    for number, name in names.items():
        if first.setdefault(name, number) != number:
            raise ValueError(
                f"names: {what} {first[name]} and {number} of {path!r} are both {name!r}; label names must be unique"
            )


def _read_label_map(path: str, content: str) -> dict[int, str]:
    label_map = _label_map_class()()
    try:
        # Others of an item's fields, such as its key points, may have ids and names of their own.
        text_format.Parse(content, label_map, allow_unknown_field=True)
    except text_format.ParseError as error:
        raise ValueError(f"names: the label map {path!r} cannot be read: {error}") from error
    found: dict[int, str] = {}
    for item in label_map.item:
        name = item.name or item.display_name
        if not name or not item.HasField("id"):
            shown = text_format.MessageToString(item, as_one_line=True, as_utf8=True)
            raise ValueError(f"names: an item of the label map {path!r} lacks an id or a name: {shown}")
        if item.id < 0 or item.id in found:
            is_wrong = "below 0" if item.id < 0 else "twice; ids must be unique"
            raise ValueError(f"names: the label map {path!r} has the id {item.id} {is_wrong}")
        found[item.id] = name
    return found


@functools.cache
def _label_map_class() -> Any:
    """Returns the class of the messages that label maps are: of an item what is read."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="label_map.proto", package="label_map")
    item = file.message_type.add(name="Item")
    for number, (name, kind) in enumerate(
        {"name": kinds.TYPE_STRING, "id": kinds.TYPE_INT64, "display_name": kinds.TYPE_STRING}.items(), 1
    ):
        item.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    file.message_type.add(name="LabelMap").field.add(
        name="item", number=1, type=kinds.TYPE_MESSAGE, label=kinds.LABEL_REPEATED, type_name=".label_map.Item"
    )
    return message_factory.GetMessages([file])["label_map.LabelMap"]


def suggest_names(name: str, known: Sequence[str]) -> str:
    """Returns what a message says after an unknown `name`: near ones, or some of those there are."""
    near = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else f"known are {', '.join(map(repr, known[:10]))}"
