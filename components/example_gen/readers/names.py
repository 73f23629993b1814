"""Files of label names: a name a line, an index before each, or a label map."""

import dataclasses
import difflib
import re
from collections.abc import Sequence

from components.example_gen import text

_NUMBERED = re.compile(r"\s*([0-9]+)\s*:\s*(\S.*?)\s*")  # 0:name
_ITEM = re.compile(r"item\s*\{(.*?)\}", re.DOTALL)  # of a label map
_FIELD = re.compile(r"""(\w+)\s*:\s*(?:(-?[0-9]+)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")


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
      ValueError: it cannot be read, is empty, has an empty line among the others, or numbers its names in another way
        than `first_label` says.
    """
    content = text.read_text("names", path, encoding)
    numbered = _read_label_map(path, content) if _ITEM.search(content) else _read_numbered(content)
    if numbered is None:
        lines = [line.strip() for line in content.rstrip().split("\n")]
        if "" in lines:
            raise ValueError(f"names: line {lines.index('') + 1} of {path!r} is empty; it needs a label name a line")
        return Names(tuple(lines), tuple(range(first_label, first_label + len(lines))), repr(path))
    indices = tuple(sorted(numbered))
    if first_label not in (0, indices[0]):
        raise ValueError(f"first_label: {first_label}, but {path!r} numbers its names from {indices[0]}; leave it out")
    return Names(tuple(numbered[index] for index in indices), indices, repr(path), are_numbered=True)


def _read_numbered(content: str) -> dict[int, str] | None:
    """Returns index → name of lines such as `0:name`; None if they are not, or a number stands twice."""
    lines = [_NUMBERED.fullmatch(line) for line in content.split("\n") if line.strip()]
    found = {int(line[1]): line[2] for line in lines if line}
    return found if found and len(found) == len(lines) else None


def _read_label_map(path: str, content: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for item in _ITEM.findall(re.sub(r"(?m)^\s*#.*$", "", content)):
        fields = {name: number or double or single for name, number, double, single in _FIELD.findall(item)}
        name = fields.get("name") or fields.get("display_name")
        if name is None or not fields.get("id", "").isdigit():
            shown = " ".join(item.split())
            raise ValueError(f"names: an item of the label map {path!r} lacks an id or a name: {shown}")
        if int(fields["id"]) in found:
            raise ValueError(f"names: the label map {path!r} has the id {fields['id']} twice; ids must be unique")
        found[int(fields["id"])] = re.sub(r"\\(.)", r"\1", name)
    return found


def suggest_names(name: str, known: Sequence[str]) -> str:
    """Returns what a message says after an unknown `name`: near ones, or some of those there are."""
    near = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else f"known are {', '.join(map(repr, known[:10]))}"
