"""Photographs, and variants of them as other data sets have them."""

import io
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest
import sklearn.datasets


@pytest.fixture(scope="session")
def patch() -> Callable[[int], PIL.Image.Image]:
    photographs = [PIL.Image.fromarray(photo) for photo in sklearn.datasets.load_sample_images().images]

    def patch(i: int) -> PIL.Image.Image:
        """Returns patch `i` of 40, of 128 × 96 pixels, which overlap nowhere; some, as 0 and 6, are mere sky."""
        left, top = 128 * (i // 2 % 5), 100 * (i // 10)
        return photographs[i % 2].crop((left, top, left + 128, top + 96))

    return patch


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    def encode(image: PIL.Image.Image | np.ndarray, image_format: str = "PNG", **options) -> bytes:
        if isinstance(image, np.ndarray):
            image = PIL.Image.fromarray(image)
        file = io.BytesIO()
        image.save(file, image_format, **options)
        return file.getvalue()

    return encode
