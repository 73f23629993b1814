"""handwritten_digits: all of it, prepared once."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from components.example_gen.builders import handwritten_digits

SIZES = {"train": 100, "eval": 400, "test": 1_297}


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    builder = handwritten_digits.HandwrittenDigits(data_dir=tmp_path_factory.mktemp("digits"))
    builder.download_and_prepare()
    return builder


@pytest.fixture(scope="module")
def rows(builder):
    return {split: list(builder.as_dataset(split=split).as_numpy_iterator()) for split in SIZES}


def test_sizes_and_names(builder, rows):
    assert builder.info.full_name == "handwritten_digits/1.0.0"
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == SIZES
    assert {split: len(examples) for split, examples in rows.items()} == SIZES
    assert builder.info.features["label"].names == list("0123456789")


def test_class_balance(rows):
    counts = {split: np.bincount([row["label"] for row in examples]) for split, examples in rows.items()}
    assert set(counts["train"]) == {10}
    assert set(counts["eval"]) == {40}
    np.testing.assert_array_equal(sum(counts.values()), np.bincount(load_digits().target))


def test_every_scan_is_in_exactly_one_split(rows):
    ids = [row["id"].decode() for examples in rows.values() for row in examples]
    assert sorted(ids) == [f"digit-{row:04d}" for row in range(1_797)]


def test_the_split_is_drawn_at_random_and_always_the_same():
    labels = load_digits().target
    first, second = handwritten_digits.split_rows(labels), handwritten_digits.split_rows(labels)
    for split in SIZES:
        np.testing.assert_array_equal(first[split], second[split])
    # The table goes writer by writer: its head would hold a few writers only.
    assert first["train"].min() < 200 and first["train"].max() > 1_500


def test_an_image_is_the_bicubic_enlargement_of_its_scan(rows):
    digits = load_digits()
    for row in rows["eval"]:
        number = int(row["id"].decode().removeprefix("digit-"))
        assert row["label"] == digits.target[number]
        scan = Image.fromarray((digits.images[number] * 255 / 16).astype(np.float32))
        large = np.asarray(scan.resize((32, 32), Image.Resampling.BICUBIC))
        assert row["image"].shape == (32, 32, 1)
        np.testing.assert_allclose(row["image"][..., 0], large.clip(0, 255), atol=0.51)


@pytest.mark.parametrize(("level", "grey"), [(0, 0), (8, 128), (16, 255)])
def test_grey_levels(level, grey):
    assert (pixels(handwritten_digits.png(np.full((8, 8), level))) == grey).all()


def test_overshoot_at_an_edge_is_clipped_and_does_not_wrap_around():
    image = pixels(handwritten_digits.png(np.repeat([[0, 16]], 4, axis=1).repeat(8, axis=0)))
    assert (image[:, :14] < 32).all() and (image[:, 18:] > 223).all()
