"""The registry of backbones. Pure: a configuration is validated before Keras is imported.

To add a backbone, write a module in this folder and add a line to SPECS.
"""

import dataclasses
import glob
import os
from typing import Any, Literal

import pydantic

from components.settings import PathText, StrictModel

_NOT_IN_CACHE_KEYS = "a registry: a Trainer's cache key contains its backbone and its options"


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


class KerasHubOptions(StrictModel):
    """A network of keras-hub (the extra `hub`), with the architecture and the preprocessing of a preset.

    Attributes:
      preset: a local folder that `save_to_preset` of keras-hub wrote. The trainings start at random, whatever weights
        are in it.
    """

    preset: PathText

    @pydantic.field_validator("preset")
    @classmethod
    def _check_preset(cls, value: str) -> str:
        for name in ("config.json", "image_converter.json"):
            if "://" in value or not os.path.isfile(os.path.join(value, name)):
                raise ValueError(
                    f"{value!r} is not a local folder with a {name}; write the preset's backbone and its image "
                    "converter there with save_to_preset, where there is a network to load them from"
                )
        return value


@dataclasses.dataclass(frozen=True)
class Application:
    """What is known of a network of keras.applications before it is built.

    Attributes:
      constructor: its name in keras.applications.
      width: number of its features.
      preprocessing: what its `preprocess_input` does, as keras.applications names it. `tf`: to -1..1. `torch`: by
        ImageNet's mean and standard deviation. `caffe`: BGR without ImageNet's mean. `inside`: the network does it.
      head: the layers of its published classifier above the features. `dense`: one. `convolution`: one of 1×1, which is
        the same. `own`: several.
    """

    constructor: str
    width: int
    preprocessing: Literal["tf", "torch", "caffe", "inside"]
    head: Literal["dense", "convolution", "own"] = "dense"


@dataclasses.dataclass(frozen=True)
class Spec:
    """An entry of the registry.

    Attributes:
      module: module with `build(image, **options) -> keras.Model`, or for a network of keras.applications
        `build(image, application)`. The model maps images [batch, size, size, channels] with values 0..255 to features
        [batch, width], or to {'features', 'auxiliary'} if it has an auxiliary head.
      min_size: side of the smallest image, in pixels.
      options: class of the options.
      application: the network, if it is one that keras.applications builds.
      extra: the extra of setup.py that it needs, and the module of that.
    """

    module: str
    min_size: int
    options: type[StrictModel] = NoOptions
    application: Application | None = None
    extra: tuple[str, str] | None = None

    def files(self, options: dict[str, Any]) -> list[str]:
        """Returns the paths of the files that say what the network is, beside its weights."""
        preset = options.get("preset")
        return [] if preset is None else sorted(glob.glob(os.path.join(glob.escape(preset), "*.json")))


def _of_keras(
    constructor: str,
    width: int,
    preprocessing: Literal["tf", "torch", "caffe", "inside"],
    *,
    head: Literal["dense", "convolution", "own"] = "dense",
    min_size: int = 32,
) -> Spec:
    application = Application(constructor, width, preprocessing, head)
    return Spec("trainer.models.applications", min_size, application=application)


SPECS = {
    "compact_cnn": Spec("trainer.models.compact_cnn", min_size=16),
    "inception_v3": Spec(
        "trainer.models.inception_v3",
        min_size=75,
        options=InceptionV3Options,
        application=Application("InceptionV3", 2048, "tf"),
    ),
    "amoebanet_b": Spec("trainer.models.amoebanet", min_size=19, options=AmoebaNetOptions),
    "convnext_tiny": _of_keras("ConvNeXtTiny", 768, "inside"),
    "convnext_small": _of_keras("ConvNeXtSmall", 768, "inside"),
    "convnext_base": _of_keras("ConvNeXtBase", 1024, "inside"),
    "convnext_large": _of_keras("ConvNeXtLarge", 1536, "inside"),
    "convnext_xlarge": _of_keras("ConvNeXtXLarge", 2048, "inside"),
    "densenet121": _of_keras("DenseNet121", 1024, "torch"),
    "densenet169": _of_keras("DenseNet169", 1664, "torch"),
    "densenet201": _of_keras("DenseNet201", 1920, "torch"),
    "efficientnet_b0": _of_keras("EfficientNetB0", 1280, "inside"),
    "efficientnet_b1": _of_keras("EfficientNetB1", 1280, "inside"),
    "efficientnet_b2": _of_keras("EfficientNetB2", 1408, "inside"),
    "efficientnet_b3": _of_keras("EfficientNetB3", 1536, "inside"),
    "efficientnet_b4": _of_keras("EfficientNetB4", 1792, "inside"),
    "efficientnet_b5": _of_keras("EfficientNetB5", 2048, "inside"),
    "efficientnet_b6": _of_keras("EfficientNetB6", 2304, "inside"),
    "efficientnet_b7": _of_keras("EfficientNetB7", 2560, "inside"),
    "efficientnet_v2_b0": _of_keras("EfficientNetV2B0", 1280, "inside"),
    "efficientnet_v2_b1": _of_keras("EfficientNetV2B1", 1280, "inside"),
    "efficientnet_v2_b2": _of_keras("EfficientNetV2B2", 1408, "inside"),
    "efficientnet_v2_b3": _of_keras("EfficientNetV2B3", 1536, "inside"),
    "efficientnet_v2_s": _of_keras("EfficientNetV2S", 1280, "inside"),
    "efficientnet_v2_m": _of_keras("EfficientNetV2M", 1280, "inside"),
    "efficientnet_v2_l": _of_keras("EfficientNetV2L", 1280, "inside"),
    "inception_resnet_v2": _of_keras("InceptionResNetV2", 1536, "tf", min_size=75),
    "mobilenet": _of_keras("MobileNet", 1024, "tf", head="convolution"),
    "mobilenet_v2": _of_keras("MobileNetV2", 1280, "tf"),
    "mobilenet_v3_small": _of_keras("MobileNetV3Small", 576, "inside", head="own"),
    "mobilenet_v3_large": _of_keras("MobileNetV3Large", 960, "inside", head="own"),
    "nasnet_mobile": _of_keras("NASNetMobile", 1056, "tf"),
    "nasnet_large": _of_keras("NASNetLarge", 4032, "tf"),
    "resnet50": _of_keras("ResNet50", 2048, "caffe"),
    "resnet101": _of_keras("ResNet101", 2048, "caffe"),
    "resnet152": _of_keras("ResNet152", 2048, "caffe"),
    "resnet50_v2": _of_keras("ResNet50V2", 2048, "tf"),
    "resnet101_v2": _of_keras("ResNet101V2", 2048, "tf"),
    "resnet152_v2": _of_keras("ResNet152V2", 2048, "tf"),
    "vgg16": _of_keras("VGG16", 512, "caffe", head="own"),
    "vgg19": _of_keras("VGG19", 512, "caffe", head="own"),
    "xception": _of_keras("Xception", 2048, "tf", min_size=71),
    "keras_hub": Spec("trainer.models.keras_hub", min_size=16, options=KerasHubOptions, extra=("hub", "keras_hub")),
}
