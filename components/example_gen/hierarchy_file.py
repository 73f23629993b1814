"""The files of a hierarchy, as a configuration names them."""

import dataclasses
import hashlib

import tensorflow as tf

from components import storage
from components.artifacts import hierarchy, vocabulary


@dataclasses.dataclass(frozen=True)
class HierarchyFile:
    """Where a hierarchy is; see `hierarchy.parse` for the formats.

    Attributes:
      file: path of the hierarchy.
      titles: path of a file that says what people call its nodes, or None.
    """

    file: str
    titles: str | None = None


def read_hierarchy(files: HierarchyFile) -> hierarchy.Hierarchy:
    """Reads the hierarchy.

    Raises:
      ValueError: a file is not there, or is of no known format; the message names it.
    """
    try:
        return hierarchy.parse(storage.read_text(files.file), files.titles and storage.read_text(files.titles))
    except tf.errors.OpError as error:
        raise ValueError(f"hierarchy: {error.message.splitlines()[0]}; name a file that is there") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"hierarchy: {files.file!r} or its titles are not UTF-8: {error}") from error
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
