"""Asking a pushed SavedModel about image files."""

import dataclasses
import os
import pathlib

from pipeline.terminal.errors import one_line


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model says of a file: the most probable labels, the first first."""

    file: str
    labels: list[str]
    probabilities: list[float]


def predict(model: str, files: list[str]) -> list[Prediction]:
    """Returns the predictions of the SavedModel in `model` for image `files`.

    Args:
      model: a SavedModel's folder, or one that holds versions of it (numbered folders; the highest is taken).
      files: of any format that the ExampleGen takes; the model sees them as it has seen its training images.

    Raises:
      ValueError: `model` is not a SavedModel of this project, or damaged, or a file is not an image.
      FileNotFoundError: a file is not there.
    """
    folder = _saved_model(model)
    contents = [_read(file) for file in files]
    import tensorflow as tf  # only now: mistakes in the arguments are told at once

    images = [_convert_as_in_training(file, content) for file, content in zip(files, contents, strict=True)]
    try:
        signatures = tf.saved_model.load(folder).signatures
    except Exception as error:  # ValueError, OSError, IndexError, OpError: it depends on which of its files is broken
        raise ValueError(f"MODEL: {folder} is damaged, push it again: TensorFlow says: {one_line(error)}") from error
    if "image_bytes" not in signatures:
        raise ValueError(f"MODEL: {folder} has no signature 'image_bytes', only {', '.join(signatures) or 'none'}")
    found = signatures["image_bytes"](image_bytes=tf.constant(images))
    labels, probabilities = found["top_labels"].numpy(), found["top_probabilities"].numpy()
    return [
        Prediction(file, [label.decode() for label in labels[i]], [float(p) for p in probabilities[i]])
        for i, file in enumerate(files)
    ]


def _saved_model(model: str) -> str:
    path = pathlib.Path(model)
    versions = [entry for entry in path.iterdir() if entry.name.isdigit()] if path.is_dir() else []
    folder = max(versions, key=lambda entry: int(entry.name)) if versions else path
    if not (folder / "saved_model.pb").is_file():
        raise ValueError(f"MODEL: {model!r} is not a SavedModel, and holds no numbered versions of one")
    return os.fspath(folder)


def _read(file: str) -> bytes:
    path = pathlib.Path(file)
    if path.is_dir():
        raise ValueError(f"IMAGE: {file!r} is a folder; name the files in it")
    if not path.is_file():
        raise FileNotFoundError(f"IMAGE: no file {file!r}")
    return path.read_bytes()


def _convert_as_in_training(file: str, content: bytes) -> bytes:
    from components.example_gen.images import check as image_check

    try:
        return image_check.check_image(content, image_check.MOST_PIXELS).encoded
    except image_check.RefusedError as error:
        raise ValueError(f"IMAGE: {file!r} is not an image that can be read ({error})") from error
