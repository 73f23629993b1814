"""The registry of backbones. Pure: a configuration is validated before Keras is imported.

To add a backbone, write a module in this folder and add a line to SPECS.
"""

import dataclasses

import pydantic

from components.settings import StrictModel

_NOT_IN_CACHE_KEYS = "a registry: a Trainer's cache key contains its backbone and its options"


class NoOptions(StrictModel):
    """The options of a backbone without options."""


class InceptionV3Options(StrictModel):
    """`width` multiplies the number of filters of every convolution; 1 is the published network."""

    width: float = pydantic.Field(1.0, gt=0, le=1)


class AmoebaNetOptions(StrictModel):
    """Size and regularisation of the network; see `trainer.models.amoebanet.build`.

    The published AmoebaNet-B has 18 cells of 512 filters. Below 16 filters the bottlenecks of the first cell would have
    no filter.
    """

    normal_cells: int = pydantic.Field(18, ge=3, multiple_of=3)
    filters: int = pydantic.Field(512, ge=16, multiple_of=4)
    drop_path: float = pydantic.Field(0.0, ge=0, lt=1)
    auxiliary: bool = False


@dataclasses.dataclass(frozen=True)
class Spec:
    """An entry of the registry.

    Attributes:
      module: module with `build(image, **options) -> keras.Model`. The model maps images [batch, size, size, channels]
        with values 0..255 to features [batch, width], or to {'features', 'auxiliary'} if it has an auxiliary head.
      min_size: side of the smallest image, in pixels.
      options: class of the options.
    """

    module: str
    min_size: int
    options: type[StrictModel] = NoOptions


SPECS = {
    "compact_cnn": Spec("trainer.models.compact_cnn", min_size=16),
    "inception_v3": Spec("trainer.models.inception_v3", min_size=75, options=InceptionV3Options),
    "amoebanet_b": Spec("trainer.models.amoebanet", min_size=19, options=AmoebaNetOptions),
}
