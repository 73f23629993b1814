"""Writes a training's progress as TensorBoard scalars."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

import tensorflow as tf

from trainer.loop.history import Progress


@contextlib.contextmanager
def open_scalars(folder: str | None) -> Iterator[Callable[[Progress], None]]:
    """Yields a function that writes an entry of the history to an event file in `folder`. None: it does nothing."""
    if folder is None:
        yield lambda entry: None
        return
    writer = tf.summary.create_file_writer(folder)

    def write(entry: Progress) -> None:
        values = dataclasses.asdict(entry)
        step, _ = values.pop("step"), values.pop("steps")
        evaluated = {name: values.pop(f"eval_{name}") for name in ("loss", "accuracy")}
        with writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(f"training/{name}", value)
            for name, value in evaluated.items():
                if value is not None:
                    tf.summary.scalar(f"evaluation/{name}", value)
        writer.flush()

    try:
        yield write
    finally:
        writer.close()
