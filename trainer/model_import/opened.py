"""A classifier from elsewhere that is open, and the images by which it is tried."""

import dataclasses

import numpy as np

from trainer.models.backbone import ImageConfig
from trainer.serving import Network

_TRIED = 3


@dataclasses.dataclass(frozen=True)
class Opened:
    """A classifier from elsewhere.

    Attributes:
      network: it takes pixels 0..255 and gives logits.
      image: the images that it takes.
      num_outputs: the number of its logits.
    """

    network: Network
    image: ImageConfig
    num_outputs: int


def make_noise(image: ImageConfig) -> np.ndarray:
    """Returns some images, uint8 [images, size, size, channels], the same in each call."""
    shape = (_TRIED, image.size, image.size, image.channels)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def plain(image: ImageConfig) -> ImageConfig:
    """Returns `image` without what a subclass adds."""
    return ImageConfig(**{key: getattr(image, key) for key in ImageConfig.model_fields})
