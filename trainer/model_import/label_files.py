"""Reads the files of labels that a classifier from elsewhere comes with."""

import tensorflow as tf

from components import storage
from components.artifacts import label_map
from trainer.model_import.settings import LabelledClassifier


def read_labels(settings: LabelledClassifier) -> label_map.ClassifierLabels | None:
    """Returns the labels in the file `labels`, or None without one.

    Raises:
      ValueError: there is no such file, or it is not one of labels; the message begins with the key.
    """
    if settings.labels is None:
        return None
    text = _read("labels", settings.labels)
    try:
        return label_map.parse_labels(text)
    except ValueError as error:
        raise ValueError(f"labels: {settings.labels!r}: {error}") from error


def read_chosen(settings: LabelledClassifier, labels: label_map.ClassifierLabels) -> label_map.Pairs:
    """Returns the pairs in the file `label_map`; none without one.

    Raises:
      ValueError: as for `read_labels`; or it names a label that the classifier does not have.
    """
    if settings.label_map is None:
        return ()
    text = _read("label_map", settings.label_map)
    try:
        return label_map.parse_map(text, labels)
    except ValueError as error:
        raise ValueError(f"label_map: {settings.label_map!r}: {error}") from error


def read_pairs(settings: LabelledClassifier, labels: label_map.ClassifierLabels) -> label_map.Pairs:
    """Returns what the labels of a classifier may be called in the source; see `label_map.join`.

    Raises:
      ValueError: as for `read_chosen`.
    """
    return label_map.join(labels, read_chosen(settings, labels))


def _read(key: str, path: str) -> str:
    try:
        return storage.read_text(path)
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise ValueError(f"{key}: {path!r} cannot be read: {error}; name a text file in UTF-8") from error
