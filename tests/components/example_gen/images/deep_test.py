"""Images of 16 bits: what is kept of them, and which are told because hardly anything is."""

import io
import json

import numpy as np
import PIL.Image
import pydantic
import pytest
import tensorflow as tf

from components.artifacts import data_report
from components.artifacts.findings import Finding
from components.example_gen.images import check as image_check
from components.example_gen.readers.folder import FolderReader
from pipeline.config.data import Data
from pipeline.preview import sample

VALUES = np.array([[1000, 1010, 1100], [1020, 1255, 1030]], np.uint16)
STRETCHED = [[0, 10, 100], [20, 255, 30]]  # 1000 to 1255
HIGH_BYTES = [[3, 3, 4], [3, 4, 4]]


def file_of(values: np.ndarray, image_format: str, **options) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(values).save(file, image_format, **options)
    return file.getvalue()


def png_of(*channels: np.ndarray) -> bytes:
    return tf.io.encode_png(np.stack(channels, -1).astype(np.uint16)).numpy()


WHITE = np.full_like(VALUES, 65_535)
PGM = b"P5 3 2 65535\n" + VALUES.astype(">u2").tobytes()
GREY = {
    "PNG": png_of(VALUES),
    "opaque grey and alpha": png_of(VALUES, WHITE),
    "TIFF": file_of(VALUES, "TIFF"),
    "TIFF in the other order": file_of(VALUES.astype(">u2"), "TIFF"),
    "PGM": PGM,
}


@pytest.mark.parametrize("full", [True, False], ids=["full", "header"])
@pytest.mark.parametrize("image", GREY.values(), ids=GREY)
def test_grey_of_a_narrow_range(image, full):
    found = image_check.check_image(image, 100, full=full, scale_16_bit="range")
    assert (found.format, found.height, found.width, found.flattened) == ("png", 2, 3, False)
    pixels = tf.io.decode_png(found.encoded, channels=3).numpy()
    assert [pixels[..., i].tolist() for i in range(3)] == [STRETCHED] * 3
    kept = image_check.check_image(image, 100, full=full)
    assert tf.io.decode_png(kept.encoded, channels=1).numpy()[..., 0].tolist() == HIGH_BYTES
    assert kept.flattened is (full or kept.encoded is not image)  # of a PNG that passes, only the header was read


def test_colours_share_a_range_and_transparency_is_white():
    blue, alpha = VALUES + 255, WHITE.copy()
    alpha[0, 0] = 0
    found = image_check.check_image(png_of(VALUES, VALUES, blue, alpha), 100, scale_16_bit="range")
    pixels = tf.io.decode_png(found.encoded).numpy()
    # From 1010 to 1510, half a level for each value: what is transparent does not count.
    assert pixels[0].tolist() == [[255, 255, 255], [0, 0, 130], [46, 46, 176]]
    assert pixels[1].tolist() == [[5, 5, 135], [125, 125, 255], [10, 10, 140]]


@pytest.mark.parametrize(
    ("orientation", "shown"),
    [(1, STRETCHED), (3, [[30, 255, 20], [100, 10, 0]]), (6, [[20, 0], [255, 10], [30, 100]])],
    ids=["upright", "upside down", "on its side"],
)
def test_a_turned_tiff(orientation, shown):
    for values, scale in ((VALUES, "range"), (np.array(STRETCHED, np.uint8), "max")):
        image = file_of(values, "TIFF", tiffinfo={0x0112: orientation})
        found = image_check.check_image(image, 100, scale_16_bit=scale)
        assert tf.io.decode_png(found.encoded).numpy()[..., 0].tolist() == shown
        assert (found.height, found.width) == np.shape(shown)


@pytest.mark.parametrize(
    ("image", "flattened"),
    [
        (png_of(VALUES % 256), True),
        (png_of(VALUES % 256, VALUES % 256, VALUES), True),
        (png_of(VALUES, VALUES, VALUES * 30), False),
        (png_of(VALUES, WHITE // 2), True),
        (png_of(WHITE), False),
        (file_of((VALUES // 8).astype(np.uint8), "PNG"), False),
        (file_of(VALUES * 60, "TIFF"), False),
    ],
    ids=["grey", "RGB", "a wide blue", "transparent", "white", "8 bits", "a wide TIFF"],
)
def test_which_are_told(image, flattened):
    assert image_check.check_image(image, 100).flattened is flattened
    assert not image_check.check_image(image, 100, scale_16_bit="range").flattened


@pytest.fixture
def folder(tmp_path, picture):
    """Twelve images of 8 bits, and of three labels in train two of 16 bits with values below 256."""
    for i in range(12):
        path = tmp_path / ("train", "val")[i % 2] / ("ant", "bee", "cow")[i % 3] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(i))
    for i in range(2):
        (tmp_path / "train" / "bee" / f"deep-{i}.png").write_bytes(png_of(VALUES - 1000 - 9 * i * (VALUES == 1100)))
    return tmp_path


@pytest.mark.parametrize(
    ("scale", "found", "converted"),
    [("max", [Finding("flattened", 2, where="train")], 0), ("range", [], 2)],
    ids=["max", "range"],
)
def test_they_are_told_before_a_run_and_by_an_ingestion(folder, generate, scale, found, converted):
    reader = FolderReader(folder=str(folder), splits={"train": "train", "eval": "val"})
    generated = generate(reader, scale_16_bit=scale)
    summary = json.loads((generated.index / data_report.SUMMARY_FILE).read_text())
    assert [Finding(**{**row, "examples": tuple(row["examples"])}) for row in summary["findings"]] == found
    assert summary["converted"] == {"train": converted, "eval": 0}
    rows = [row for shard in generated.index_shards("train") for row in shard]
    assert sum(row["flattened"] for row in rows) == (2 if found else 0)
    data = data_of(folder=str(folder), splits={"train": "train", "eval": "val"}, scale_16_bit=scale)
    assert sample.preview_data(data, 1000, False).findings == found


def data_of(**settings) -> Data:
    return pydantic.TypeAdapter(Data).validate_python(settings)
