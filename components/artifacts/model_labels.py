"""The label names inside a SavedModel, `assets.extra/labels.csv`: its outputs are in their order.

Who meets a model and a vocabulary maps one to the other by these names, never by position alone.
"""

import os
from collections.abc import Sequence

import tensorflow as tf

from components import storage
from components.artifacts import vocabulary


def write(saved_model: str, names: Sequence[str]) -> None:
    """Puts `names` into the SavedModel in the folder `saved_model`."""
    storage.write_text(_path(saved_model), vocabulary.dumps(vocabulary.make_vocabulary(names)))


def read(saved_model: str) -> tuple[str, ...] | None:
    """Returns the names in the order of the outputs; None of a model that has none with it."""
    path = _path(saved_model)
    return vocabulary.loads(storage.read_text(path)).names if tf.io.gfile.exists(path) else None


def _path(saved_model: str) -> str:
    return os.path.join(saved_model, "assets.extra", vocabulary.FILE_NAME)
