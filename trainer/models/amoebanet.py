"""AmoebaNet-B (Real et al. 2018, arXiv 1802.01548): a network of two kinds of cells, found by evolutionary search.

A cell starts from two states, the outputs of the two cells before it; each further state is the sum of two operations
on earlier states. The paper's reduction cell has a dilated 5×5 convolution. The public implementation, which gave the
known results, never applies the dilation, and neither does this one. The number of parameters is the same.

AmoebaNet-D is not implemented: Ngiam et al. 2018 use B.
"""

import dataclasses
from collections.abc import Callable

import keras
from keras import layers, ops

from trainer.models.backbone import ImageConfig

_STEM_CHANNELS = 32


def build(
    image: ImageConfig, *, normal_cells: int = 18, filters: int = 512, drop_path: float = 0.0, auxiliary: bool = False
) -> keras.Model:
    """Returns the backbone, [batch, 16·filters]; 549 million parameters at the published size, for 299 pixels.

    Preprocessing: 0..255 to -1..1. Feature layer: the global average of the last cell after ReLU, before dropout (the
    recipe's; 0.5 in the paper). Below 19 pixels the last reduction would receive a single pixel and not reduce it.

    Args:
      image: the input images.
      normal_cells: N, the number of normal cells; three stacks of F, 2F and 4F filters have a third of them each.
      filters: F.
      drop_path: probability, at the end of the training, that `DropPath` drops the result of an operation for an
        example; the same for all cells, 0.3 in the paper.
      auxiliary: also returns the features for an auxiliary head, [batch, 768], from the end of the second stack. The
        output is then {'features', 'auxiliary'}; `trainer.models.classifier` adds a head to each.
    """
    images = keras.Input((image.size, image.size, image.channels), name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="to_unit_range")(images)
    x = layers.Conv2D(_STEM_CHANNELS, 3, 2, use_bias=False, kernel_initializer="he_normal", name="stem")(x)
    x = _norm(x, "stem")
    drop = DropPath(drop_path, name="drop_path") if drop_path else None

    previous, x = x, _cell(_REDUCTION, x, None, filters // 4, 2, "stem_1", drop)
    previous, x = x, _cell(_REDUCTION, x, previous, filters // 2, 2, "stem_2", drop)
    outputs = {}
    for stack in range(3):
        width = filters * 2**stack
        if stack > 0:
            previous, x = x, _cell(_REDUCTION, x, previous, width, 2, f"reduction_{stack}", drop)
        for i in range(normal_cells // 3):
            previous, x = x, _cell(_NORMAL, x, previous, width, 1, f"normal_{stack * normal_cells // 3 + i}", drop)
        if stack == 1 and auxiliary:
            outputs["auxiliary"] = _auxiliary_features(x)
    x = layers.ReLU(name="last_relu")(x)
    features = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(images, {"features": features, **outputs} if outputs else features, name="backbone")


@keras.saving.register_keras_serializable("specialist")
class DropPath(layers.Layer):
    """Drops paths of a network at random, with a probability that grows during the training (Zoph et al. 2017).

    In training, each example of the input, any shape [batch, ...], becomes 0 with probability rate · progress, or else
    is divided by the probability of being kept, so that the expectation is the input. In inference, and where the
    layer is not trainable, it returns the input.

    `progress` is a variable: the share of the training that is done, from 0 to 1; initially 1. `trainer.loop.fit.fit`
    assigns every variable named `training_progress` before each step. One instance serves all paths of a network.

    Args:
      rate: the probability at the end of the training.
      seed: seed of the choice. None: Keras' global seed.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate: {rate}; must be at least 0 and below 1")
        self.rate = rate
        self.seed = seed
        self.supports_masking = True
        self._random = keras.random.SeedGenerator(seed)

    def build(self, input_shape) -> None:
        self.progress = self.add_weight(
            name="training_progress", shape=(), initializer="ones", trainable=False, autocast=False
        )

    def call(self, inputs, training: bool = False):
        if not training or not self.trainable:
            return inputs
        keep = 1 - self.rate * self.progress.value
        shape = (ops.shape(inputs)[0], *[1] * (len(inputs.shape) - 1))
        kept = keras.random.uniform(shape, dtype="float32", seed=self._random) < keep
        return inputs * ops.cast(ops.cast(kept, "float32") / keep, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def _norm(x, name: str):
    # With the published momentum, 0.9997, the initial values would persist for thousands of steps; a small recipe has
    # hundreds.
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_norm")(x)


def _he_normal_depthwise() -> keras.initializers.Initializer:
    # Keras counts all channels in the fan-in of a depthwise kernel, though each is convolved alone; its fan-out counts
    # one. With the fan-in, the variances in wide cells would start close to normalisation's epsilon. Each layer needs
    # its own instance, because one instance gives equal values to all kernels of a shape.
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")


def _convolution(x, filters: int, stride: int, name: str, *, size: int = 1):
    x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(
        x
    )
    return _norm(x, name)


def _bottleneck(x, filters: int, stride: int, name: str):
    x = _convolution(x, filters // 4, 1, f"{name}_in")
    x = _convolution(x, filters // 4, stride, f"{name}_at", size=3)
    return _convolution(x, filters, 1, f"{name}_out")


def _separable(size: int) -> Callable:
    def apply(x, filters: int, stride: int, name: str):
        for part, step in (("first", stride), ("second", 1)):
            x = layers.ReLU(name=f"{name}_{part}_relu")(x)
            x = layers.SeparableConv2D(
                filters,
                size,
                step,
                padding="same",
                use_bias=False,
                depthwise_initializer=_he_normal_depthwise(),
                pointwise_initializer="he_normal",
                name=f"{name}_{part}",
            )(x)
            x = _norm(x, f"{name}_{part}")
        return x

    return apply


def _pool(layer: type[layers.Layer], size: int) -> Callable:
    return lambda x, filters, stride, name: layer(size, stride, padding="same", name=name)(x)


_OPERATIONS = {
    "identity": lambda x, filters, stride, name: x,  # its inputs always have the cell's own filters and size
    "conv1": _convolution,
    "conv3": _bottleneck,
    "sep3": _separable(3),
    "sep5": _separable(5),
    "max2": _pool(layers.MaxPooling2D, 2),
    "max3": _pool(layers.MaxPooling2D, 3),
    "avg3": _pool(layers.AveragePooling2D, 3),
}


@dataclasses.dataclass(frozen=True)
class _Cell:
    """A kind of cell.

    Attributes:
      sums: the states from number 2 on, each the sum of two (operation, number of its input state).
      outputs: numbers of the states that the cell concatenates and returns.
    """

    sums: tuple[tuple[tuple[str, int], tuple[str, int]], ...]
    outputs: tuple[int, ...]


_NORMAL = _Cell(
    sums=(
        (("conv1", 1), ("max3", 1)),
        (("identity", 1), ("sep3", 0)),
        (("conv1", 1), ("sep3", 0)),
        (("conv1", 2), ("identity", 2)),
        (("avg3", 1), ("conv1", 5)),
    ),
    outputs=(0, 3, 4, 6),
)
_REDUCTION = _Cell(
    sums=(
        (("max2", 0), ("max3", 0)),
        (("identity", 2), ("conv3", 1)),
        (("sep5", 2), ("max3", 2)),
        (("identity", 3), ("sep3", 1)),
        (("avg3", 4), ("conv1", 3)),
    ),
    outputs=(5, 6),
)


def _cell(cell: _Cell, x, previous, filters: int, stride: int, name: str, drop: DropPath | None):
    """Applies a cell to the output of the last cell, `x`, and to that of the cell before it, `previous`."""
    first = _convolution(x, filters, 1, f"{name}_input")
    # The first cell has a single input, and uses it unchanged as the second state.
    states = [first, x if previous is None else _match_shape(previous, x, filters, f"{name}_previous")]
    for number, terms in enumerate(cell.sums, start=2):
        results = []
        for side, (operation, state) in zip("ab", terms, strict=True):
            result = _OPERATIONS[operation](
                states[state], filters, stride if state < 2 else 1, f"{name}_{number}{side}_{operation}"
            )
            results.append(result if drop is None or operation == "identity" else drop(result))
        states.append(layers.Add(name=f"{name}_{number}")(results))
    return layers.Concatenate(name=name)([states[number] for number in cell.outputs])


def _match_shape(previous, x, filters: int, name: str):
    """Transforms `previous` to the height and width of `x`, with `filters` channels."""
    if previous.shape[1] != x.shape[1]:
        return _factorized_reduction(previous, filters, name)
    if previous.shape[-1] != filters:
        return _convolution(previous, filters, 1, name)
    return previous


def _factorized_reduction(x, filters: int, name: str):
    """Halves height and width: half of the filters see the even pixels, the other half the odd ones."""
    x = layers.ReLU(name=f"{name}_relu")(x)
    odd = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    odd = layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_shift")(odd)
    halves = [
        layers.Conv2D(filters // 2, 1, 2, use_bias=False, kernel_initializer="he_normal", name=f"{name}_{side}")(half)
        for side, half in (("even", x), ("odd", odd))
    ]
    return _norm(layers.Concatenate(name=name)(halves), name)


def _auxiliary_features(x):
    """Returns the features of the auxiliary head, [batch, 768]."""
    x = layers.ReLU(name="auxiliary_relu")(x)
    # Maps below 5×5, which do not occur in the published network, are pooled completely.
    x = layers.AveragePooling2D(min(5, x.shape[1]), 3, name="auxiliary_pool")(x)
    for filters, size, name in ((128, 1, "auxiliary_in"), (768, x.shape[1], "auxiliary_out")):
        x = layers.Conv2D(filters, size, use_bias=False, kernel_initializer="he_normal", name=name)(x)
        x = layers.ReLU(name=f"{name}_relu")(_norm(x, name))
    return layers.Flatten(name="auxiliary")(x)
