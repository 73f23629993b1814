"""A served model sees what its training saw, of every kind of image."""

import dataclasses
import functools
import io
import pathlib
import struct
import zlib
from collections.abc import Callable

import keras
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf

from components.artifacts.examples import IMAGE
from components.example_gen.images import check
from components.orientation import turn
from pipeline.results import predict
from trainer import serving
from trainer.data import formats, images
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig

RANDOM = np.random.default_rng(3)
ROWS, COLUMNS = 34, 51


def picture(mode: str, rows: int = ROWS, columns: int = COLUMNS) -> PIL.Image.Image:
    """Returns soft noise in all channels, transparency included."""
    channels = len(PIL.Image.new(mode, (1, 1)).getbands())
    bands = RANDOM.integers(0, 256, (5, 7, channels), np.uint8)
    soft = [PIL.Image.fromarray(bands[..., i]).resize((columns, rows), 2) for i in range(channels)]
    return PIL.Image.merge(mode, soft)


def encode(image: PIL.Image.Image, image_format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def exif(value: int) -> PIL.Image.Exif:
    found = PIL.Image.Exif()
    found[0x0112] = value
    return found


def palette(transparent: bool = False) -> bytes:
    image = picture("RGB").quantize(16)
    return encode(image, "PNG", **({"transparency": bytes([0, 99, 255])} if transparent else {}))


def deep(channels: int, least: int = 0, most: int = (1 << 16) - 1) -> bytes:
    values = RANDOM.integers(least, most + 1, (ROWS, COLUMNS, channels), np.uint16)
    if channels in (2, 4):
        values[..., -1] = RANDOM.integers(0, 1 << 16, (ROWS, COLUMNS), np.uint16)
    return tf.io.encode_png(values).numpy()


KINDS = {
    "JPEG": encode(picture("RGB"), "JPEG", quality=90),
    "grey JPEG": encode(picture("L"), "JPEG"),
    **{f"JPEG turned {value}": encode(picture("RGB", 80, 60), "JPEG", exif=exif(value)) for value in range(1, 9)},
    "large turned JPEG": encode(picture("RGB", 300, 420), "JPEG", exif=exif(6)),
    "CMYK": encode(picture("CMYK"), "JPEG"),
    "turned CMYK": encode(picture("CMYK"), "JPEG", exif=exif(8)),
    "PNG": encode(picture("RGB"), "PNG"),
    **{f"PNG turned {value}": encode(picture("RGB"), "PNG", exif=exif(value)) for value in range(1, 9)},
    "RGBA": encode(picture("RGBA"), "PNG"),
    "opaque RGBA": encode(picture("RGB").convert("RGBA"), "PNG"),
    "turned RGBA": encode(picture("RGBA"), "PNG", exif=exif(5)),
    "LA": encode(picture("LA"), "PNG"),
    "grey with a colour key": encode(picture("L"), "PNG", transparency=100),
    "RGB with a colour key": encode(picture("RGB").quantize(4).convert("RGB"), "PNG", transparency=(0, 0, 0)),
    "palette": palette(),
    "transparent palette": palette(transparent=True),
    "1 bit": encode(picture("L").convert("1"), "PNG"),
    "grey of 16 bits": deep(1),
    "RGB of 16 bits": deep(3),
    "RGBA of 16 bits": deep(4),
    "grey and alpha of 16 bits": deep(2),
    "GIF": encode(picture("RGB").quantize(64), "GIF"),
    "animation": encode(picture("L"), "GIF", save_all=True, append_images=[picture("L")]),
    "BMP": encode(picture("RGB"), "BMP"),
    "BMP of 32 bits": encode(picture("RGBA"), "BMP"),
}


@functools.cache
def in_training(channels: int) -> Callable:
    """Returns how a training decodes; traced once."""
    image = ImageConfig(size=20, channels=channels)
    return tf.function(lambda encoded: images.decode(encoded, image), input_signature=[tf.TensorSpec([], tf.string)])


@functools.cache
def in_serving(channels: int, scale: str) -> Callable:
    """Returns how a served model decodes; traced once."""
    image = ImageConfig(size=20, channels=channels)
    return tf.function(
        lambda encoded: images.decode(formats.as_stored(encoded, scale), image),
        input_signature=[tf.TensorSpec([], tf.string)],
    )


@pytest.mark.parametrize("scale", ["max", "range"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_those_of_the_training(kind, channels, scale):
    checked = check.check_image(KINDS[kind], check.MOST_PIXELS, scale_16_bit=scale)
    seen = in_training(channels)(tf.constant(checked.encoded)).numpy()
    assert np.ptp(seen) > 50
    np.testing.assert_array_equal(in_serving(channels, scale)(tf.constant(KINDS[kind])), seen)


def with_chunk(encoded: bytes, kind: bytes, content: bytes) -> bytes:
    """Returns a PNG with a chunk behind its header."""
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return encoded[:33] + chunk + encoded[33:]


DEEP = {
    "grey": deep(1, 30, 285),
    "RGB": deep(3, 7, 4095),
    "grey and alpha": deep(2, 30, 285),
    "RGBA": deep(4, 7, 4095),
    "turned grey": with_chunk(deep(1, 40_000, 40_255), b"eXIf", exif(6).tobytes()[6:]),
    "turned RGBA": with_chunk(deep(4, 300, 9000), b"eXIf", exif(5).tobytes()[6:]),
    "RGB with a colour key": with_chunk(deep(3, 0, 1), b"tRNS", struct.pack(">3H", 1, 0, 1)),
    "grey with a colour key": with_chunk(deep(1, 0, 3), b"tRNS", struct.pack(">H", 2)),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", DEEP)
def test_16_bits_are_stretched_alike(kind, channels):
    checked = check.check_image(DEEP[kind], check.MOST_PIXELS, scale_16_bit="range")
    seen = in_training(channels)(tf.constant(checked.encoded)).numpy()
    assert np.ptp(seen) > 50
    np.testing.assert_array_equal(in_serving(channels, "range")(tf.constant(DEEP[kind])), seen)


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_that_of_the_picture_as_it_is_shown(kind):
    checked = check.check_image(KINDS[kind], check.MOST_PIXELS)
    with PIL.Image.open(io.BytesIO(KINDS[kind])) as image:
        shown = PIL.ImageOps.exif_transpose(image)
    assert (checked.width, checked.height) == shown.size


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("value", range(1, 9))
def test_what_is_turned_by_exif_is_seen_as_if_it_had_been_turned_before(value, channels):
    upright = picture("RGB", 40, 40)
    turned_back = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[value]
    stored = encode(turn(upright, turned_back), "PNG", exif=exif(value))
    expected = in_training(channels)(tf.constant(encode(upright, "PNG"))).numpy()
    np.testing.assert_array_equal(in_serving(channels, "max")(tf.constant(stored)), expected)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"", "Input is empty"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "Unknown image file format|Expected image|Failed to decode WebP"),
        (encode(picture("L"), "BMP"), "a BMP with a palette cannot be decoded"),
        (KINDS["PNG"][:400], "Invalid PNG"),
        (KINDS["JPEG"][:400], "Invalid JPEG"),
    ],
    ids=["empty", "WebP", "BMP of 8 bits", "cut PNG", "cut JPEG"],
)
def test_what_cannot_be_decoded_is_an_error(encoded, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        in_serving(3, "max")(tf.constant(encoded))


def as_example(encoded: bytes) -> bytes:
    """Returns an Example as a client would make it, with the image alone."""
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    return tf.train.Example(features=tf.train.Features(feature={IMAGE: feature})).SerializeToString()


@dataclasses.dataclass(frozen=True)
class Served:
    """A model, the number of its channels, what it makes of 16 bits, and its SavedModel with the loaded signatures.

    Of the pairs of channels and scales, two show both of each; that all are decoded alike, the tests above say.
    """

    model: keras.Model
    channels: int
    scale: str
    folder: pathlib.Path
    signatures: dict[str, Callable]


@pytest.fixture(scope="module", params=[(1, "max"), (3, "range")], ids=["grey", "RGB-range"])
def served(request, tmp_path_factory) -> Served:
    channels, scale = request.param
    keras.utils.set_random_seed(2)
    image = ImageConfig(size=20, channels=channels)
    model = classifier.build(Backbone(name="compact_cnn").build(image), 6)
    random = np.random.default_rng(1)
    # A random head gives nearly the same answer to everything; a comparison would not notice other pixels.
    model.get_layer("head").set_weights([random.normal(0, 8, (128, 6)), random.normal(0, 1, 6)])
    folder = tmp_path_factory.mktemp("served")
    module = serving.ServingModule(model, image, tuple("abcdef"), scale_16_bit=scale)
    module.export(saved_model=str(folder / "model"), keras_file=str(folder / "keras" / "model.keras"))
    return Served(model, channels, scale, folder / "model", tf.saved_model.load(str(folder / "model")).signatures)


def test_the_served_model_answers_as_the_trained_one(served, tmp_path):
    raw = [*KINDS.values(), *DEEP.values()]
    stored = [check.check_image(encoded, check.MOST_PIXELS, scale_16_bit=served.scale).encoded for encoded in raw]
    decode = in_training(served.channels)
    outputs = served.model(tf.stack([decode(tf.constant(one)) for one in stored]), training=False)
    expected = tf.nn.softmax(outputs["logits"]).numpy()
    assert np.ptp(expected, axis=0).max() > 0.1

    examples = [as_example(encoded) for encoded in raw]
    answers = {
        "image_bytes": served.signatures["image_bytes"](image_bytes=tf.constant(raw))["probabilities"],
        "serving_default": served.signatures["serving_default"](examples=tf.constant(examples))["probabilities"],
    }
    for i, encoded in enumerate(raw):
        (tmp_path / f"{i:02d}").write_bytes(encoded)
    predictions = predict.predict(
        str(served.folder), (str(tmp_path / f"{i:02d}") for i in range(len(raw))), batch_size=7
    )
    answers["predict"] = [
        [dict(zip(each.labels, each.probabilities, strict=True)).get(name, np.nan) for name in "abcdef"]
        for each in predictions
    ]
    for way, found in answers.items():
        found = np.asarray(found)
        known = ~np.isnan(found)
        assert known.sum() == len(raw) * (5 if way == "predict" else 6)
        np.testing.assert_allclose(found[known], expected[known], atol=1e-5, err_msg=way)


@pytest.mark.parametrize("signature", ["image_bytes", "serving_default"])
def test_an_error_names_the_place_in_the_batch(served, signature):
    loaded = served.signatures[signature]
    images = [KINDS["PNG"], b"hello", KINDS["JPEG"], KINDS["JPEG"][:300], KINDS["GIF"]]
    values = images if signature == "image_bytes" else [as_example(i) for i in images]
    key = "image_bytes" if signature == "image_bytes" else "examples"
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"no JPEG, PNG, GIF or BMP .* from 0\].*\[1 3\]"):
        loaded(**{key: tf.constant(values)})
    for few in (values[:1], values[4:]):
        assert loaded(**{key: tf.constant(few, tf.string)})["probabilities"].shape == (len(few), 6)
