"""Asking a pushed SavedModel about image files."""

import dataclasses
import io
import os
import pathlib

import PIL.Image

from pipeline.errors import one_line

_FORMATS = ("JPEG", "MPO", "PNG")  # an MPO is a JPEG with more pictures behind the first, which TensorFlow reads


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
      files: JPEGs or PNGs.

    Raises:
      ValueError: `model` is not a SavedModel of this project, or damaged, or a file is not an image.
      FileNotFoundError: a file is not there.
    """
    folder = _saved_model(model)
    images = [_read(file) for file in files]
    import tensorflow as tf

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
    content = path.read_bytes()
    try:
        with PIL.Image.open(file) as image:
            if image.format not in _FORMATS:
                raise ValueError(f"IMAGE: {file!r} is a {image.format}; JPEG and PNG can be read")
            image.load()
            return _as_png(image.convert("RGB")) if image.mode == "CMYK" else content
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"IMAGE: {file!r} is not an image that can be read ({error})") from error


def _as_png(image: PIL.Image.Image) -> bytes:
    # TensorFlow does not make grey of CMYK, as printers take it; of RGB it does, and a PNG loses nothing.
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
