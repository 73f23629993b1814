"""Predictions of a pushed SavedModel for image files."""

import dataclasses
import os
import pathlib

from pipeline.terminal.errors import one_line


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The most probable labels of a file, with their probabilities in descending order."""

    file: str
    labels: list[str]
    probabilities: list[float]


def predict(model: str, files: list[str]) -> list[Prediction]:
    """Returns the predictions of the SavedModel in `model` for image `files`.

    Args:
      model: a SavedModel's folder, or one with numbered versions of it, of which the highest is used.
      files: images of any format that the ExampleGen reads, converted as for training.

    Raises:
      ValueError: `model` is not a SavedModel of this project, or is damaged, or a file is not an image.
      FileNotFoundError: a file does not exist.
    """
    folder = _saved_model(model)
    contents = [_read(file) for file in files]
    import tensorflow as tf  # after the arguments are checked, so that mistakes are reported at once

    images = [_convert_as_in_training(file, content) for file, content in zip(files, contents, strict=True)]
    try:
        signatures = tf.saved_model.load(folder).signatures
    except Exception as error:  # ValueError, OSError, IndexError or OpError, depending on the damaged file
        raise ValueError(f"MODEL: {folder} is damaged, push it again. TensorFlow reports: {one_line(error)}") from error
    if "image_bytes" not in signatures:
        raise ValueError(
            f"MODEL: {folder} has no signature 'image_bytes', only {', '.join(signatures) or 'none'}; name a model "
            "that this project pushed"
        )
    outputs = signatures["image_bytes"](image_bytes=tf.constant(images))
    labels, probabilities = outputs["top_labels"].numpy(), outputs["top_probabilities"].numpy()
    return [
        Prediction(file, [label.decode() for label in labels[i]], [float(p) for p in probabilities[i]])
        for i, file in enumerate(files)
    ]


def _saved_model(model: str) -> str:
    path = pathlib.Path(model)
    versions = [entry for entry in path.iterdir() if entry.name.isdigit()] if path.is_dir() else []
    folder = max(versions, key=lambda entry: int(entry.name)) if versions else path
    if not (folder / "saved_model.pb").is_file():
        raise ValueError(
            f"MODEL: {model!r} is not a SavedModel and contains no numbered versions of one; name a pushed model"
        )
    return os.fspath(folder)


def _read(file: str) -> bytes:
    path = pathlib.Path(file)
    if path.is_dir():
        raise ValueError(f"IMAGE: {file!r} is a folder; name the files in it")
    if not path.is_file():
        raise FileNotFoundError(f"IMAGE: no file {file!r}; check the path")
    return path.read_bytes()


def _convert_as_in_training(file: str, content: bytes) -> bytes:
    from components.example_gen.images import check as image_check

    try:
        return image_check.check_image(content, image_check.MOST_PIXELS).encoded
    except image_check.RefusedError as error:
        raise ValueError(f"IMAGE: {file!r} is not a readable image ({error}); leave it out") from error
