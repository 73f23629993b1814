"""Layer-wise decay of the learning rate: how far from the head each variable of a backbone is. Pure."""

import re
from collections.abc import Sequence

# As Liu et al. 2022 (arXiv 2201.03545) group the blocks of ConvNeXt: as many groups as a ViT-B has blocks.
MOST_GROUPS = 12

# What names a block in the path of a variable: in keras.applications, keras-hub and this package.
_BLOCK = re.compile(
    r"(?:normal|reduction)(?:_[A-Za-z]+)*_\d+"  # the cells of NASNet and AmoebaNet
    r"|(?:conv|stack|stages?)_?\d+_blocks?_?\d+"  # ResNet, DenseNet, ConvNeXt
    r"|conv_(?:dw|pw)_\d+"  # MobileNet
    r"|expanded_conv(?:_\d+)?"  # MobileNetV2 and V3
    r"|(?<!downsampling_)blocks?_?\d+[a-z]?(?:_\d+)?"  # EfficientNet, Xception, VGG, transformers
    r"|(?:^|/)layers?_\d+"  # transformers
)
_ATTENTION = re.compile(r"attention|attn|(?:^|/)query/")


def count_blocks_to_head(paths: Sequence[str]) -> list[int]:
    """Returns how many blocks each variable of a backbone is from the head, which is at 0.

    Blocks are told by their names. What comes before the first block, such as embeddings, is one block of its own; what
    comes between two blocks, such as a downsampling, belongs to the later one; and what comes after the last, such as a
    final normalisation, to the head (Bao et al. 2022, arXiv 2106.08254, in their code; Liu et al. 2022). In a network
    without attention the blocks are made up to at most 12 groups of successive ones, as Liu et al. 2022 do. A network
    whose blocks have no names, such as Inception-v3, is cut into at most 12 equal groups of layers: each layer with a
    kernel begins one, and the normalisation after it goes with it.

    Args:
      paths: the paths of the variables, from the images to the features, such as 'conv2_block1_1_bn/gamma'.
    """
    names = [_name_block(path) for path in paths]
    order = {name: number for number, name in enumerate(dict.fromkeys(name for name in names if name))}
    if len(order) < 2:
        units = _number_layers(paths)
        groups = min(MOST_GROUPS, max(units, default=-1) + 1)
        return [groups - _group(unit, max(units) + 1, groups) for unit in units]
    blocks = len(order)
    has_attention = any(_ATTENTION.search(path) for path in paths)
    groups = blocks if has_attention else min(MOST_GROUPS, blocks)
    found: list[int] = []
    following = 0  # what the next variable, which is looked at before, is at
    for name in reversed(names):
        if name:
            following = groups - _group(order[name], blocks, groups)
        found.append(following)
    found.reverse()
    first = next(i for i, name in enumerate(names) if name)
    return [groups + 1] * first + found[first:]


def _name_block(path: str) -> str | None:
    match = _BLOCK.search(path)
    return match and re.sub("_(?:dw|pw)_", "_", match.group())


def _number_layers(paths: Sequence[str]) -> list[int]:
    """Numbers the layers that have a kernel; those without one get the number of the last that has."""
    numbers: list[int] = []
    last, number = "", -1
    for path in paths:
        layer, _, variable = path.rpartition("/")
        if variable.endswith("kernel") and layer != last:
            last, number = layer, number + 1
        numbers.append(max(number, 0))
    return numbers


def _group(number: int, count: int, groups: int) -> int:
    """Returns which of equal groups of successive numbers below `count` has this one."""
    return number * groups // count
