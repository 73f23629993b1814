"""The label names in a SavedModel, `assets.extra/labels.csv`, in the order of its outputs.

Code that uses a model with a vocabulary must match them by these names, never by position alone.
"""

import os
from collections.abc import Sequence

import tensorflow as tf

from components import storage
from components.artifacts import vocabulary


def write(saved_model: str, names: Sequence[str]) -> None:
    """Writes `names` into the SavedModel in the folder `saved_model`."""
    storage.write_text(_path(saved_model), vocabulary.dumps(vocabulary.make_vocabulary(names)))


def read(saved_model: str) -> tuple[str, ...] | None:
    """Returns the names in the order of the outputs, or None if the model has none."""
    path = _path(saved_model)
    return vocabulary.loads(storage.read_text(path)).names if tf.io.gfile.exists(path) else None


def _path(saved_model: str) -> str:
    return os.path.join(saved_model, "assets.extra", vocabulary.FILE_NAME)
