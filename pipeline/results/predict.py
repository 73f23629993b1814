"""Predictions of a pushed SavedModel for image files, a batch at a time."""

import csv
import dataclasses
import io
import itertools
import json
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from components.artifacts import versions
from components.deep_images import Scale16Bit
from components.example_gen.readers.sieve import is_called_like_image
from pipeline.terminal.errors import one_line
from pipeline.terminal.text import isolate

BATCH_SIZE = 32
FORMATS = ("text", "json", "csv")


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The most probable labels of a file, with their probabilities in descending order; or why there are none."""

    file: str
    labels: list[str] = dataclasses.field(default_factory=list)
    probabilities: list[float] = dataclasses.field(default_factory=list)
    error: str | None = None


def predict(model: str, files: Iterable[str], batch_size: int = BATCH_SIZE) -> Iterator[Prediction]:
    """Returns the predictions of the SavedModel in `model` for image `files`, in their order, as they come.

    Args:
      model: a SavedModel's folder.
      files: images of any format that the ExampleGen reads. They are read when their turn comes: no more than
        `batch_size` of them are in memory.
      batch_size: images that the network sees at once.

    Raises:
      ValueError: `model` is not a SavedModel of this project, or is damaged.
    """
    # Which takes seconds: mistakes in the arguments are reported before.
    import tensorflow as tf

    from components.artifacts import model_images

    try:
        signatures = tf.saved_model.load(model).signatures
    except Exception as error:  # ValueError, OSError, IndexError or OpError, depending on the damaged file
        raise ValueError(f"MODEL: {model} is damaged, push it again. TensorFlow reports: {one_line(error)}") from error
    if "image_bytes" not in signatures:
        raise ValueError(
            f"MODEL: {model} has no signature 'image_bytes', only {', '.join(signatures) or 'none'}; name a model "
            "that this project pushed"
        )
    return _answer(signatures["image_bytes"], iter(files), batch_size, model_images.read(model))


def find_images(names: Iterable[str], lines: Iterable[str]) -> Iterator[str]:
    """Yields the paths of image files: `names` themselves, the images in a folder, and for '-' those on `lines`."""
    for name in names:
        if name == "-":
            yield from (line.rstrip("\n") for line in lines if line.strip())
        elif os.path.isdir(name):
            for folder, folders, files in os.walk(name):
                folders.sort()
                yield from (os.path.join(folder, file) for file in sorted(files) if is_called_like_image(file))
        else:
            yield name


def lines_of(predictions: Iterable[Prediction], output_format: str) -> Iterator[str]:
    """Yields the lines that tell `predictions` in one of FORMATS; JSON has an object a line, CSV a header."""
    if output_format == "csv":
        yield _csv_line(["file", "label", "probability", "error"])
    for prediction in predictions:
        if output_format == "json":
            yield json.dumps(dataclasses.asdict(prediction), ensure_ascii=False)
        elif output_format == "csv":
            best: list[Any] = [prediction.labels[0], prediction.probabilities[0]] if prediction.labels else ["", ""]
            yield _csv_line([prediction.file, *best, prediction.error or ""])
        else:
            pairs = zip(prediction.labels, prediction.probabilities, strict=True)
            answer = "  ".join(f"{isolate(label)} {100 * p:.1f}%" for label, p in pairs)
            yield f"{isolate(prediction.file)}: {answer or f'cannot be read: {prediction.error}'}"


def _csv_line(values: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def _answer(signature: Any, files: Iterator[str], batch_size: int, scale: Scale16Bit) -> Iterator[Prediction]:
    while batch := list(itertools.islice(files, batch_size)):
        found = [_read(file, scale) for file in batch]
        images = [image for image in found if isinstance(image, bytes)]
        answers = _call(signature, images) if images else iter(())
        for file, image in zip(batch, found, strict=True):
            yield dataclasses.replace(next(answers) if isinstance(image, bytes) else image, file=file)


def _call(signature: Any, images: list[bytes]) -> Iterator[Prediction]:
    import tensorflow as tf

    try:
        outputs = signature(image_bytes=tf.constant(images))
    except tf.errors.InvalidArgumentError as error:
        if len(images) > 1:  # one of them, which the check has taken
            for image in images:
                yield from _call(signature, [image])
        else:
            yield Prediction("", error=one_line(error))
        return
    labels, probabilities = outputs["top_labels"].numpy(), outputs["top_probabilities"].numpy()
    for names, values in zip(labels, probabilities, strict=True):
        yield Prediction("", [name.decode() for name in names], [float(value) for value in values])


def _read(file: str, scale: Scale16Bit) -> bytes | Prediction:
    """Returns an image as the training had it, or why there is none."""
    from components.example_gen.images import check

    try:
        encoded = pathlib.Path(file).read_bytes()
        return check.check_image(encoded, check.MOST_PIXELS, scale_16_bit=scale).encoded
    except OSError as error:
        return Prediction(file, error=error.strerror or str(error))
    except check.RefusedError as error:
        return Prediction(file, error=str(error))


def find_saved_model(model: str) -> tuple[str, list[str]]:
    """Returns the folder of a SavedModel, and newer versions that are passed over because they are incomplete.

    Args:
      model: the folder itself, or one with numbered versions of it, of which the newest complete one is chosen.

    Raises:
      ValueError: `model` is neither.
    """
    if versions.is_complete(model):
        return model, []
    found = versions.list_versions(model)
    broken = [os.path.join(model, version) for version in found.newer_broken]
    if found.newest is None:
        message = f"MODEL: {model!r} is not a complete SavedModel and contains no complete numbered version of one"
        raise ValueError(f"{message}; name a pushed model" if not broken else f"{message}: push it again")
    return os.path.join(model, found.newest), broken
