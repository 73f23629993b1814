"""The registry of readers, by the key of a configuration that names the data.

A new kind of data is a module with a subclass of `Reader`, which has a field of that name, and a line in KINDS.
"""

import json
import pkgutil
from collections.abc import Mapping
from typing import Any

from components.example_gen.readers.reader import Reader

_NOT_IN_CACHE_KEYS = "a registry: a node's key holds the reader that it uses"

# By name, so that a kind is imported only where it is used.
KINDS = {
    "dataset": "components.example_gen.readers.tfds:TfdsReader",
    "folder": "components.example_gen.readers.folder:FolderReader",
    "manifest": "components.example_gen.readers.manifest:ManifestReader",
    "tfrecords": "components.example_gen.readers.tfrecords:TFRecordReader",
    "uris": "components.example_gen.readers.uris:UriListReader",
}


def kind_of(settings: object) -> str:
    """Returns the key of `settings` that names the data.

    Raises:
      ValueError: `settings` are no keys and values, have none of KINDS, or several.
    """
    named = [kind for kind in KINDS if isinstance(settings, Mapping) and kind in settings]
    if len(named) != 1:
        has = f"has {' and '.join(named)}" if named else "names no data"
        raise ValueError(f"{has}; give exactly one of {', '.join(KINDS)}")
    return named[0]


def class_of(kind: str) -> type[Reader]:
    """Returns the class of the readers of `kind`, one of KINDS."""
    return pkgutil.resolve_name(KINDS[kind])


def make_reader(settings: Mapping[str, Any]) -> Reader:
    """Returns the reader with these `settings`, one of whose keys is one of KINDS.

    Raises:
      ValueError: a key is missing or unknown, or a value is not allowed; see the reader's class.
    """
    return class_of(kind_of(settings)).model_validate(dict(settings))


def dumps(reader: Reader) -> str:
    """Returns the settings of `reader` as JSON that `loads` reads."""
    return reader.model_dump_json()


def loads(text: str) -> Reader:
    """Returns the reader that `dumps` wrote."""
    return class_of(kind_of(json.loads(text))).model_validate_json(text)
