import hypothesis
import pytest
from hypothesis import strategies as st

from trainer.loop.layer_decay import MOST_GROUPS, count_blocks_to_head


def kernels_of(*layers: str) -> list[str]:
    return [f"{layer}/kernel" for layer in layers]


@pytest.mark.parametrize(
    ("layers", "counts"),
    [
        (
            ("conv1_conv", "conv2_block1_1_conv", "conv2_block1_2_conv", "conv2_block2_1_conv", "post_bn"),
            (3, 2, 2, 1, 0),
        ),
        (("stem_conv", "block1a_dwconv", "block1a_se_reduce", "block2a_dwconv", "top_conv"), (3, 2, 2, 1, 0)),
        (
            (
                "tiny_stem/tiny_stem_conv",
                "tiny_stage_0_block_0_depthwise_conv",
                "tiny_downsampling_block_0/tiny_downsampling_conv_0",
                "tiny_stage_1_block_0_depthwise_conv",
                "layer_normalization",
            ),
            (3, 2, 1, 1, 0),
        ),
        (("conv1", "conv_dw_1", "conv_pw_1", "conv_dw_2", "conv_pw_2"), (3, 2, 2, 1, 1)),
        (("Conv1", "expanded_conv_project", "expanded_conv_1_expand", "Conv_1"), (3, 2, 1, 0)),
        (("block1_conv1", "block1_conv2", "block2_conv1", "block3_conv1"), (3, 3, 2, 1)),
        (("block1_conv1", "conv2d_7", "block2_sepconv1"), (2, 1, 1)),
        (("conv2d", "conv2d_3", "block35_1_conv", "conv2d_9", "block35_2_conv", "conv_7b"), (3, 3, 2, 1, 1, 0)),
        (
            (
                "stem_conv1",
                "reduction_A_block_stem_1/block_1/conv_block_stem_1",
                "normal_A_block_0/block_2/conv_0",
                "normal_A_block_1/conv_1",
            ),
            (4, 3, 2, 1),
        ),
        (("stem", "stem_1_op", "reduction_1_op", "normal_0_op"), (3, 3, 2, 1)),
        (
            (
                "vit_patching_and_embedding/patch_embedding",
                "encoder_layers/tranformer_block_1/mha/query",
                "encoder_layers/tranformer_block_1/mlp/dense_1",
                "encoder_layers/tranformer_block_2/mha/query",
                "ln",
            ),
            (3, 2, 2, 1, 0),
        ),
        (("embeddings", "layers_0/attention/query", "layers_1/attention/query", "layer_norm"), (3, 2, 1, 0)),
    ],
    ids=[
        "ResNet",
        "EfficientNet",
        "ConvNeXt",
        "MobileNet",
        "MobileNetV2",
        "VGG",
        "Xception",
        "Inception-ResNet",
        "NASNet",
        "AmoebaNet",
        "ViT",
        "DINOv2",
    ],
)
def test_blocks_by_their_names(layers, counts):
    assert tuple(count_blocks_to_head(kernels_of(*layers))) == counts


def test_convnext_b_has_groups_of_three_blocks():
    blocks = [(stage, block) for stage, depth in enumerate((3, 3, 27, 3)) for block in range(depth)]
    counts = count_blocks_to_head(kernels_of("stem", *(f"stage_{s}_block_{b}_conv" for s, b in blocks), "norm"))
    assert counts == [13, *(12 - i // 3 for i in range(36)), 0]


def test_each_block_of_a_transformer_counts():
    counts = count_blocks_to_head(kernels_of("patches", *(f"transformer_block_{i}/mha/query" for i in range(24))))
    assert counts == [25, *range(24, 0, -1)]


def test_without_names_of_blocks_a_layer_with_a_kernel_begins_a_group():
    paths = ["scale/gamma", "conv2d/kernel", "conv2d/bias", "norm/beta", "separable/depthwise_kernel"]
    paths += ["separable/pointwise_kernel", "norm_1/beta", "conv2d_1/kernel"]
    assert count_blocks_to_head(paths) == [3, 3, 3, 3, 2, 2, 2, 1]
    assert count_blocks_to_head(["scale/gamma", "scale/beta"]) == [1, 1]
    assert count_blocks_to_head([]) == []


def test_an_only_block_is_no_block():
    assert count_blocks_to_head(kernels_of("conv2d", "block_1", "conv2d_1")) == [3, 2, 1]


NAMES = st.one_of(
    st.builds("conv{}_block{}_conv".format, st.integers(1, 4), st.integers(1, 40)),
    st.builds("transformer_block_{}/attention/query".format, st.integers(0, 40)),
    st.builds("conv2d_{}".format, st.integers(0, 40)),
)
VARIABLES = st.sampled_from(["kernel", "bias", "gamma"])


@hypothesis.given(st.lists(st.builds("{}/{}".format, NAMES, VARIABLES), max_size=80))
def test_the_variables_of_a_layer_are_as_far_and_no_distance_is_left_out(paths):
    counts = count_blocks_to_head(paths)
    assert len(counts) == len(paths)
    found = set(counts)
    assert not found or min(found) in (0, 1)
    assert found | {0} == set(range(max(found, default=0) + 1))
    if not any("attention" in path for path in paths):
        assert max(found, default=0) <= MOST_GROUPS + 1
    by_block: dict[str, set[int]] = {}
    for path, count in zip(paths, counts, strict=True):
        if "_block" in path and len({p.split("/")[0] for p in paths if "_block" in p}) > 1:
            by_block.setdefault(path.rpartition("/")[0], set()).add(count)
    assert all(len(counts_of_block) == 1 for counts_of_block in by_block.values())


@hypothesis.given(st.integers(2, 60), st.integers(1, 4))
def test_successive_blocks_come_ever_nearer_in_equal_groups(blocks, layers):
    paths = [f"conv2_block{block}_{layer}_conv/kernel" for block in range(blocks) for layer in range(layers)]
    counts = count_blocks_to_head(paths)
    assert counts == sorted(counts, reverse=True)
    assert max(counts) == min(blocks, MOST_GROUPS)
    sizes = [counts.count(count) / layers for count in set(counts)]
    assert max(sizes) - min(sizes) <= 1
