"""The files of a hierarchy, as a configuration names them."""

import dataclasses
import hashlib

from components.artifacts import hierarchy, vocabulary
from components.example_gen import text


@dataclasses.dataclass(frozen=True)
class HierarchyFile:
    """Where a hierarchy is; see `hierarchy.parse` for the formats.

    Attributes:
      file: path of the hierarchy.
      titles: path of a file that says what people call its nodes, or None.
      encoding: of both.
    """

    file: str
    titles: str | None = None
    encoding: str = "utf-8"


def read_hierarchy(files: HierarchyFile) -> hierarchy.Hierarchy:
    """Reads the hierarchy.

    Raises:
      ValueError: a file is not there, or is of no known format; the message names it.
    """
    content = text.read_text("hierarchy.file", files.file, files.encoding)
    titles = text.read_text("hierarchy.titles", files.titles, files.encoding) if files.titles else None
    try:
        return hierarchy.parse(content, titles)
    except ValueError as error:
        raise ValueError(f"hierarchy of {files.file}{str(error).removeprefix('hierarchy')}") from error


def apply_hierarchy(labels: vocabulary.Vocabulary, files: HierarchyFile | None) -> vocabulary.Vocabulary:
    """Returns `labels` under the hierarchy of `files`, or as they are without one; see `vocabulary.apply_hierarchy`."""
    return vocabulary.apply_hierarchy(labels, read_hierarchy(files)) if files else labels


def fingerprint(files: HierarchyFile) -> str:
    """Returns 16 hex digits that change with what `read_hierarchy` returns."""
    found = read_hierarchy(files)
    content = repr((sorted(found.parents.items()), sorted(found.titles.items())))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
