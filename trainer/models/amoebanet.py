"""AmoebaNet-B (Real et al. 2018, arXiv 1802.01548): a network of two kinds of cells, which evolution found.

A cell starts from two states, the outputs of the two cells before it; each further state is the sum of two operations
on earlier ones. AmoebaNet-B's reduction cell names a dilated 5×5 convolution; the public implementation, from which the
known results come, never applies the dilation, and neither does this one. The number of parameters is the same.

AmoebaNet-D is left out: Ngiam et al. 2018 use B.
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
    """Returns the backbone, [batch, 16·filters]; 549 million parameters at the published size. Native: 299 pixels.

    Preprocessing: 0..255 to -1..1. Feature layer: the global average of the last cell after ReLU, before dropout (a
    recipe's, 0.5 when published). Below 19 pixels the last reduction would find a single pixel and not reduce.

    Args:
      image: what goes in.
      normal_cells: N, all normal cells together; a third of them in each of three stacks of F, 2F and 4F filters.
      filters: F.
      drop_path: how often `DropPath` drops the outcome of an operation, for an example, at the end of the training
        (0.3 when published, and as here the same for all cells).
      auxiliary: also returns the features for an auxiliary head, [batch, 768], from the end of the second stack. The
        output is then {'features', 'auxiliary'}; `trainer.models.classifier` gives each a head.
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
            outputs["auxiliary"] = _auxiliary(x)
    x = layers.ReLU(name="last_relu")(x)
    features = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(images, {"features": features, **outputs} if outputs else features, name="backbone")


@keras.saving.register_keras_serializable("specialist")
class DropPath(layers.Layer):
    """Leaves out paths of a network at random, ever more of them in the course of a training (Zoph et al. 2017).

    In training a whole example of the input, any shape [batch, ...], becomes 0 with probability rate · progress, and is
    divided by the probability of staying otherwise, so that the expectation is the input. Otherwise it does nothing.

    `progress` is a variable, the share of the training that is done: 0 at its start, 1 at its end, and 1 unless
    somebody sets it. `trainer.loop.fit.fit` assigns every variable named `training_progress` before each step. One
    instance serves all the paths of a network. What is not trainable is as in inference, as with normalisation.

    Args:
      rate: the probability at the end of the training.
      seed: of the choice; None: from Keras' global seed.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate: {rate}; a probability of leaving out is at least 0 and below 1")
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
        stays = keras.random.uniform(shape, dtype="float32", seed=self._random) < keep
        return inputs * ops.cast(ops.cast(stays, "float32") / keep, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def _norm(x, name: str):
    # The published momentum, 0.9997, remembers the random start for thousands of steps; a small recipe has hundreds.
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_norm")(x)


def _he_normal_depthwise() -> keras.initializers.Initializer:
    # Keras counts all channels into the fan-in of a depthwise kernel, though each is convolved alone; its fan-out is
    # that of one. Wide cells would start with variances next to normalisation's epsilon otherwise. And each layer gets
    # an instance of its own: one instance gives equal values to all kernels of a shape.
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
    def twice(x, filters: int, stride: int, name: str):
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

    return twice


def _pool(layer: type[layers.Layer], size: int) -> Callable:
    return lambda x, filters, stride, name: layer(size, stride, padding="same", name=name)(x)


_OPERATIONS = {
    "identity": lambda x, filters, stride, name: x,  # only ever of states that the cell itself made
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
    """State 2 and those after it, each the sum of two (operation, number of the state it reads); what is put out."""

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
    """Returns the output of a cell on that of the last cell, `x`, and of the one before, `previous`."""
    first = _convolution(x, filters, 1, f"{name}_input")
    # The very first cell has one input only, and takes it as it is.
    states = [first, x if previous is None else _fitted(previous, x, filters, f"{name}_previous")]
    for number, terms in enumerate(cell.sums, start=2):
        results = []
        for side, (operation, state) in zip("ab", terms, strict=True):
            result = _OPERATIONS[operation](
                states[state], filters, stride if state < 2 else 1, f"{name}_{number}{side}_{operation}"
            )
            results.append(result if drop is None or operation == "identity" else drop(result))
        states.append(layers.Add(name=f"{name}_{number}")(results))
    return layers.Concatenate(name=name)([states[number] for number in cell.outputs])


def _fitted(previous, x, filters: int, name: str):
    """Returns `previous` with the height and width of `x` and the channels `filters`."""
    if previous.shape[1] != x.shape[1]:
        return _factorized_reduction(previous, filters, name)
    if previous.shape[-1] != filters:
        return _convolution(previous, filters, 1, name)
    return previous


def _factorized_reduction(x, filters: int, name: str):
    """Half of the filters see the even pixels, the other half the odd ones."""
    x = layers.ReLU(name=f"{name}_relu")(x)
    odd = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    odd = layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_shift")(odd)
    halves = [
        layers.Conv2D(filters // 2, 1, 2, use_bias=False, kernel_initializer="he_normal", name=f"{name}_{side}")(half)
        for side, half in (("even", x), ("odd", odd))
    ]
    return _norm(layers.Concatenate(name=name)(halves), name)


def _auxiliary(x):
    """Returns the features of the auxiliary head, [batch, 768]."""
    x = layers.ReLU(name="auxiliary_relu")(x)
    # On maps below 5×5, which the published network never meets, all of the map is pooled.
    x = layers.AveragePooling2D(min(5, x.shape[1]), 3, name="auxiliary_pool")(x)
    for filters, size, name in ((128, 1, "auxiliary_in"), (768, x.shape[1], "auxiliary_out")):
        x = layers.Conv2D(filters, size, use_bias=False, kernel_initializer="he_normal", name=name)(x)
        x = layers.ReLU(name=f"{name}_relu")(_norm(x, name))
    return layers.Flatten(name="auxiliary")(x)
