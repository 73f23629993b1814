"""The label names in a SavedModel, `assets.extra/labels.csv`, in the order of its outputs.

Code that uses a model with a vocabulary must match them by these names, never by position alone. A model from elsewhere
has other labels than the source: beside them lies `label_map.csv`, see `components.artifacts.label_map`.
"""

import os
from collections.abc import Sequence

import tensorflow as tf

from components import storage
from components.artifacts import label_map, vocabulary


def write(saved_model: str, names: Sequence[str]) -> None:
    """Writes `names` into the SavedModel in the folder `saved_model`."""
    storage.write_text(_path(saved_model), vocabulary.dumps(vocabulary.make_vocabulary(names)))


def read(saved_model: str) -> tuple[str, ...] | None:
    """Returns the names in the order of the outputs, or None if the model has none."""
    path = _path(saved_model)
    return vocabulary.loads(storage.read_text(path)).names if tf.io.gfile.exists(path) else None


def write_map(saved_model: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Writes what the labels stand for into the SavedModel in the folder `saved_model`."""
    storage.write_text(_path(saved_model, label_map.FILE_NAME), label_map.dumps(pairs))


def read_map(saved_model: str) -> tuple[tuple[str, str], ...] | None:
    """Returns what `write_map` wrote, or None if the labels are those of the source."""
    path = _path(saved_model, label_map.FILE_NAME)
    return label_map.loads(storage.read_text(path)) if tf.io.gfile.exists(path) else None


def _path(saved_model: str, name: str = vocabulary.FILE_NAME) -> str:
    return os.path.join(saved_model, "assets.extra", name)
