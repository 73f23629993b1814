"""The target set of the embedded benchmark: scans of handwritten digits, as scikit-learn ships them."""

import io
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from components import extras

SIZE = 32  # pixels, height and width
TRAIN_IMAGES, EVAL_IMAGES = 10, 40  # a class; the others are for the test
_SEED = 0

_DESCRIPTION = """
1,797 scans of handwritten digits, 8×8 pixels of 17 grey levels, enlarged to 32×32 by bicubic interpolation. A small
target: 100 train images (10 a class), 400 eval images (40 a class), and the remaining 1,297 as test images.

They are the test part of the UCI Optical Recognition of Handwritten Digits, as `sklearn.datasets.load_digits` has it.
"""

_CITATION = """
@misc{alpaydin1998optical,
  author = {Alpaydin, E. and Kaynak, C.},
  title = {Optical Recognition of Handwritten Digits},
  year = {1998},
  howpublished = {UCI Machine Learning Repository},
  doi = {10.24432/C50P49},
}
"""


class HandwrittenDigits(tfds.core.GeneratorBasedBuilder):
    """`handwritten_digits`: splits `train` (100 images), `eval` (400) and `test` (1,297).

    Features: `image` (uint8[32, 32, 1], PNG), `label` (of 10, named '0' to '9'), `id` (`digit-0123`: the row in
    scikit-learn's table). The source is in the description.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(SIZE, SIZE, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
                    "id": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            license="CC BY 4.0",
            citation=_CITATION,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        extras.require("demo", "sklearn")
        from sklearn import datasets  # only here: it takes a second

        digits = datasets.load_digits()
        return {
            split: self._generate_examples(digits.images, digits.target, rows)
            for split, rows in split_rows(digits.target).items()
        }

    def _generate_examples(self, scans: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Iterator[tuple[str, dict]]:
        for row in rows:
            key = f"digit-{row:04d}"
            yield key, {"image": io.BytesIO(png(scans[row])), "label": int(labels[row]), "id": key}


def split_rows(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the rows of each split: of every class 10 at random to `train`, 40 to `eval`, the others to `test`."""
    rng = np.random.default_rng(_SEED)
    classes = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    cuts = (TRAIN_IMAGES, TRAIN_IMAGES + EVAL_IMAGES)
    parts = zip(*(np.split(rows, cuts) for rows in classes), strict=True)
    return {split: np.sort(np.concatenate(part)) for split, part in zip(("train", "eval", "test"), parts, strict=True)}


def png(scan: np.ndarray) -> bytes:
    """Returns a scan, float[8, 8] in 0..16, as the PNG file of its 32×32 pixels, uint8 in 0..255."""
    # In floating point to the end, so that what bicubic interpolation overshoots is rounded and clipped only once.
    large = Image.fromarray((scan * (255 / 16)).astype(np.float32)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    Image.fromarray(np.asarray(large).round().clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
