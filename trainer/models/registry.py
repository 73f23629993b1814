"""The backbones, by name. Pure: what it says can be checked before Keras is imported.

A new one is a module in this folder and a line in SPECS.
"""

import dataclasses

import pydantic

from components.settings import StrictModel

_NOT_IN_CACHE_KEYS = "a registry: a Trainer's key holds the backbone that it builds, and its options"


class NoOptions(StrictModel):
    """Of a backbone that has none."""


class InceptionV3Options(StrictModel):
    """`width` multiplies the filters of every convolution; 1 is the published network."""

    width: float = pydantic.Field(1.0, gt=0, le=1)


class AmoebaNetOptions(StrictModel):
    """The size of the network, and how it is regularised; what they mean is said at `trainer.models.amoebanet.build`.

    The published AmoebaNet-B has 18 cells of 512 filters. Below 16 filters the bottlenecks of the first cell would have
    none at all.
    """

    normal_cells: int = pydantic.Field(18, ge=3, multiple_of=3)
    filters: int = pydantic.Field(512, ge=16, multiple_of=4)
    drop_path: float = pydantic.Field(0.0, ge=0, lt=1)
    auxiliary: bool = False


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is known of a backbone without building it.

    Attributes:
      module: has `build(image, **options) -> keras.Model`, from images [batch, size, size, channels] with values 0..255
        to features [batch, width], or to {'features', 'auxiliary'} if its training has an auxiliary head.
      min_size: the smallest image it takes, in pixels.
      options: the type of its options.
    """

    module: str
    min_size: int
    options: type[StrictModel] = NoOptions


SPECS = {
    "compact_cnn": Spec("trainer.models.compact_cnn", min_size=16),
    "inception_v3": Spec("trainer.models.inception_v3", min_size=75, options=InceptionV3Options),
    "amoebanet_b": Spec("trainer.models.amoebanet", min_size=19, options=AmoebaNetOptions),
}
