"""The readers, by the key of the configuration that names the data: one module a kind."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from components.example_gen.readers.folder import FolderDataset
from components.example_gen.readers.manifest import ManifestDataset
from components.example_gen.readers.reader import Reader
from components.example_gen.readers.tfds import TfdsDataset
from components.example_gen.readers.tfrecords import RecordsDataset
from components.example_gen.readers.uris import UriDataset

KINDS: dict[str, type[Reader]] = {
    "dataset": TfdsDataset,
    "folder": FolderDataset,
    "manifest": ManifestDataset,
    "tfrecords": RecordsDataset,
    "uris": UriDataset,
}
_LOCATION = {"dataset": "name"}  # the field that takes what the key names; elsewhere it is called like the key


def of(settings: Mapping[str, Any]) -> Reader:
    """Returns the reader of a data set as a configuration gives it: one key of KINDS, and the fields of that reader."""
    (kind,) = settings.keys() & KINDS
    fields = dict(settings)
    return KINDS[kind](**{_LOCATION.get(kind, kind): fields.pop(kind)}, **fields)


def dumps(reader: Reader) -> str:
    """Returns `reader` as JSON that `loads` reads."""
    (kind,) = (kind for kind, cls in KINDS.items() if type(reader) is cls)
    return json.dumps({"kind": kind, **dataclasses.asdict(reader)})


def loads(text: str) -> Reader:
    """Returns the reader that `dumps` wrote."""
    fields = json.loads(text)
    return KINDS[fields.pop("kind")](**fields)
