"""Naming the image that cannot be decoded, where a training or a prediction stops at one."""

import contextlib
from collections.abc import Iterable, Iterator

import tensorflow as tf

from components.artifacts import examples

_NOT_IN_CACHE_KEYS = "it says what is wrong with an image, and decides nothing"


@contextlib.contextmanager
def name_undecodable(records: Iterable[bytes]) -> Iterator[None]:
    """Turns TensorFlow's error about an image that cannot be decoded into one that names the image.

    Args:
      records: the Examples that the image is one of; read in case of an error only.

    Raises:
      ValueError: an image cannot be decoded.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        for record in records:
            example = tf.train.Example.FromString(record)
            try:
                tf.io.decode_image(examples.image_of(example), expand_animations=False)
            except tf.errors.InvalidArgumentError:
                raise ValueError(
                    f"the image of {examples.source_id_of(example)!r} cannot be decoded; ingest its data with "
                    "`check: full`, which rejects such images, or remove it"
                ) from error
        raise
