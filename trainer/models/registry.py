"""The backbones, by name. Pure: what it says can be checked before Keras is imported.

A new one is a module in this folder and a line in SPECS.
"""

import dataclasses

import pydantic

from components.settings import StrictModel

_NOT_IN_CACHE_KEYS = "a registry: a Trainer's key holds the backbone that it builds, and its options"


class NoOptions(StrictModel):
    """This backbone has no options."""


class InceptionV3Options(StrictModel):
    """The size of Inception-v3.

    Attributes:
      width: multiplies the number of filters of every convolution; 1 is the published network.
    """

    width: float = pydantic.Field(1.0, gt=0, le=1)


class AmoebaNetOptions(StrictModel):
    """The size of AmoebaNet-B, and its regularisation. The published network has 18 cells of 512 filters.

    Attributes:
      normal_cells: number of normal cells, a third of them in each of three stacks.
      filters: filters of the first stack; the second and third have two and four times as many.
      drop_path: the probability that drop-path drops the output of an operation, at the end of the training; 0.3 when
        published.
      auxiliary: whether the training has an auxiliary head after the second stack.
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
