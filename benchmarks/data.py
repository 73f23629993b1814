"""Images and files for the benchmarks."""

import io
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from components.example_gen.testing import Record


def photographs() -> list[np.ndarray]:
    """Returns the two sample photographs of scikit-learn, uint8 [427, 640, 3]."""
    import sklearn.datasets

    return sklearn.datasets.load_sample_images().images


def cut_jpegs(
    count: int, widths: tuple[int, int], heights: tuple[int, int] | None = None, quality: int = 90
) -> Iterator[bytes]:
    """Yields `count` JPEGs cut from the sample photographs at random places. Their comments differ: no two are equal.

    Args:
      count: how many.
      widths, heights: least and largest number of pixels; heights default to widths.
      quality: of the JPEGs.
    """
    rng = np.random.default_rng(0)
    photos = [PIL.Image.fromarray(photo) for photo in photographs()]
    for i in range(count):
        photo = photos[i % len(photos)]
        width, height = (int(rng.integers(low, high + 1)) for low, high in (widths, heights or widths))
        left, top = int(rng.integers(0, photo.width - width)), int(rng.integers(0, photo.height - height))
        cut = photo.crop((left, top, left + width, top + height))
        yield encode(cut, "JPEG", quality=quality, comment=str(i))


def encode(image: PIL.Image.Image, image_format: str, **options) -> bytes:
    """Returns the bytes of an image file in the given format."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def write_class_folders(folder: str, jpegs: Iterable[bytes], classes: int) -> int:
    """Writes JPEGs to one folder per class, in turn, and returns the total size of the files in bytes."""
    total = 0
    for i, jpeg in enumerate(jpegs):
        of_class = os.path.join(folder, f"class-{i % classes}")
        os.makedirs(of_class, exist_ok=True)
        with open(os.path.join(of_class, f"{i}.jpg"), "wb") as file:
            total += file.write(jpeg)
    return total


def write_records(folder: str, records: list[bytes], shards: int) -> str:
    """Writes records to the shards of one split in turns, and returns the pattern of the files."""
    from components import storage  # only here: it imports TensorFlow

    for shard in range(shards):
        name = storage.shard_name(storage.RECORD_STEM, shard, shards)
        storage.write_records(os.path.join(folder, name), records[shard::shards])
    return os.path.join(folder, "*")


def write_examples(root: str, items: list["Record"], shards: int) -> None:
    """Writes Examples and their index as an ExampleGen does: `examples` and `index` in `root`, of the split train."""
    from components.example_gen import testing

    folders = [os.path.join(root, name, "Split-train") for name in ("examples", "index")]
    for shard in range(shards):
        testing.write_shard(*folders, shard, shards, items[shard::shards])
