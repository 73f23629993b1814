"""The builders of TFDS data sets: by their names, prepared, and with all of their files."""

import contextlib
import difflib
import fcntl
import glob
import importlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from components import storage

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

# Builders that come with this package; they are generated, so they can be prepared whenever they are asked for.
EMBEDDED = {
    "handwritten_digits": "components.example_gen.builders.handwritten_digits.HandwrittenDigits",
    "printed_glyphs": "components.example_gen.builders.printed_glyphs.PrintedGlyphs",
}
_SHOWN = 3  # files in a message


def open_prepared(dataset: str, data_dir: str | None) -> "tfds.core.DatasetBuilder":
    """Returns the builder of a data set whose files are there.

    Raises:
      ValueError: there is no such data set, or it is not prepared.
    """
    builder = _open(dataset, data_dir)
    if not builder.is_prepared():
        raise ValueError(
            f"dataset: {dataset!r} is not prepared in {builder.data_dir}; run `tfds build {dataset}` or set data_dir"
        )
    return builder


def is_prepared(dataset: str, data_dir: str | None) -> bool:
    """Returns whether `prepare_embedded` would make nothing."""
    return dataset not in EMBEDDED or _open(dataset, data_dir).is_prepared()


def prepare_embedded(dataset: str, data_dir: str | None) -> bool:
    """Makes the files of an embedded data set if they are not there; returns whether it has.

    Where another process makes the same ones at the time, waits for it.
    """
    if is_prepared(dataset, data_dir):
        return False
    folder = os.fspath(_open(dataset, data_dir).data_dir)
    with _lock(folder):
        builder = _open(dataset, data_dir)  # which looks again at what is there
        if builder.is_prepared():
            return False
        for stale in glob.glob(f"{glob.escape(os.path.dirname(folder))}/incomplete.*_{os.path.basename(folder)}"):
            shutil.rmtree(stale)  # of a process that was killed
        builder.download_and_prepare()
    return True


@contextlib.contextmanager
def _lock(folder: str) -> Iterator[None]:
    """Locks what is made at the path `folder`; on object stores there are no locks, and each upload is whole."""
    if storage.is_remote(folder):
        yield
        return
    parent, name = os.path.split(folder)
    os.makedirs(parent, exist_ok=True)
    with open(os.path.join(parent, f".{name}.lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def check_files(dataset: str, info: "tfds.core.DatasetInfo", expressions: Iterable[str]) -> None:
    """Refuses splits of which some record files are not there, or are empty.

    Args:
      dataset: name of the data set.
      info: of it.
      expressions: of the splits that are read.

    Raises:
      ValueError: some are.
    """
    import tensorflow as tf

    sizes: dict[str, int] = {}
    for expression in expressions:
        for instruction in info.splits[expression].file_instructions:
            path = os.fspath(instruction.filename)
            sizes[path] = tf.io.gfile.stat(path).length if tf.io.gfile.exists(path) else 0
    missing = sorted(path for path, size in sizes.items() if not size)
    if missing and len(missing) < len(sizes):  # if none are there, TFDS was given other data than files
        shown = ", ".join(missing[:_SHOWN]) + ", …" * (len(missing) > _SHOWN)
        raise ValueError(f"dataset: {shown} is not there, or has no byte; bring it back, or prepare {dataset!r} anew")


def _open(dataset: str, data_dir: str | None) -> "tfds.core.DatasetBuilder":
    if dataset in EMBEDDED:
        module, _, cls = EMBEDDED[dataset].rpartition(".")
        return getattr(importlib.import_module(module), cls)(data_dir=data_dir)
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(dataset, data_dir=data_dir, try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        name = re.split("[/:]", dataset)[0]  # without its configuration and version
        near = difflib.get_close_matches(name, [*EMBEDDED, *tfds.list_builders()], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"embedded ones are {', '.join(EMBEDDED)}"
        where = f", nor is it in {data_dir}" if data_dir else ""
        raise ValueError(f"dataset: {dataset!r} is not a TFDS data set{where}; {hint}") from error
    except (AssertionError, ValueError) as error:
        # No such version or config, or not a name at all: the first line says which, the rest explains at length.
        raise ValueError(f"dataset: {dataset!r} cannot be opened: {str(error).splitlines()[0]}") from error
