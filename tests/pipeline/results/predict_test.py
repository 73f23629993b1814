"""Asking a pushed model: which version, and what each mistake says."""

import io
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from components.artifacts import examples
from components.example_gen import testing
from pipeline.results import predict


class Brightness(tf.Module):
    """Knows two labels, with the mean of the upper half of the pixels as the probability of `bright`."""

    def __init__(self):
        super().__init__()
        self.white = tf.Variable(255.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serve(self, image_bytes):
        def brightness(encoded):
            pixels = tf.io.decode_image(encoded, channels=1, expand_animations=False)
            return tf.reduce_mean(tf.cast(pixels[: tf.shape(pixels)[0] // 2], tf.float32)) / self.white

        found = tf.map_fn(brightness, image_bytes, fn_output_signature=tf.float32)
        bright = tf.stack([found, 1 - found], axis=1)
        top = tf.math.top_k(bright, 2)
        return {
            "probabilities": bright,
            "top_labels": tf.gather(tf.constant(["bright", "dark"]), top.indices),
            "top_probabilities": top.values,
        }


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> pathlib.Path:
    """A folder with the versions 9 and 10, of which 9 has no signature."""
    folder = tmp_path_factory.mktemp("model")
    module = Brightness()
    tf.saved_model.save(module, str(folder / "10"), signatures={"image_bytes": module.serve})
    tf.saved_model.save(module, str(folder / "9"), signatures={})
    return folder


@pytest.fixture
def image(tmp_path):
    def image(name: str, value: int, image_format: str = "PNG") -> str:
        path = tmp_path / name
        PIL.Image.fromarray(np.full((4, 6), value, np.uint8)).save(path, image_format)
        return str(path)

    return image


def test_the_highest_version_answers_in_the_order_of_the_files(model, image):
    files = [image("dark.png", 51), image("bright.jpg", 255, "JPEG")]
    dark, bright = predict.predict(str(model), files)
    assert (dark.file, dark.labels) == (files[0], ["dark", "bright"])
    assert dark.probabilities == pytest.approx([0.8, 0.2], abs=1e-6)
    assert (bright.file, bright.labels) == (files[1], ["bright", "dark"])
    assert predict.predict(str(model / "10"), files[:1]) == [dark]


def test_the_first_picture_of_several_in_a_jpeg(model, tmp_path):
    # As phones write them; PIL calls it another format.
    first, second = (PIL.Image.new("RGB", (8, 8), (value, value, value)) for value in (51, 255))
    path = tmp_path / "photo.jpg"
    first.save(path, "MPO", save_all=True, append_images=[second])
    with PIL.Image.open(path) as image:
        assert image.format == "MPO"
    (prediction,) = predict.predict(str(model), [str(path)])
    assert prediction.labels == ["dark", "bright"]
    assert prediction.probabilities == pytest.approx([0.8, 0.2], abs=1e-6)


def encoded(image: PIL.Image.Image, image_format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def half_clear() -> bytes:
    """A black PNG, whose upper half does not show."""
    image = PIL.Image.new("RGBA", (8, 8), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 8, 4))
    return encoded(image, "PNG")


GREY = PIL.Image.new("L", (8, 8), 51)


@pytest.mark.parametrize(
    ("content", "brightness"),
    [
        (half_clear(), 1.0),
        (encoded(PIL.Image.new("CMYK", (8, 8), (0, 0, 0, 204)), "JPEG", quality=95), 0.2),
        (encoded(GREY, "GIF", save_all=True, append_images=[PIL.Image.new("L", (8, 8), 255)]), 0.2),
        (encoded(GREY, "WEBP", lossless=True), 0.2),
        (encoded(GREY, "TIFF"), 0.2),
        (encoded(GREY, "BMP"), 0.2),
    ],
    ids=["transparent", "print", "gif", "webp", "tiff", "bmp"],
)
def test_a_file_is_seen_as_a_training_image_is(model, tmp_path, content, brightness):
    path = tmp_path / "photo"
    path.write_bytes(content)
    (prediction,) = predict.predict(str(model), [str(path)])
    record = testing.make_record(content, (0,), "a", split="train", names=("x",)).record
    written = examples.image_of(tf.train.Example.FromString(record))
    signature = tf.saved_model.load(str(model / "10")).signatures["image_bytes"]
    (expected,) = signature(image_bytes=tf.constant([written]))["top_probabilities"].numpy()
    assert written != content
    assert prediction.probabilities == expected.tolist()
    assert dict(zip(prediction.labels, prediction.probabilities, strict=True)) == pytest.approx(
        {"bright": brightness, "dark": 1 - brightness}, abs=1e-6
    )


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("saved_model.pb", b"junk"),
        ("saved_model.pb", b""),
        ("saved_model.pb", None),
        ("variables/variables.index", b"junk"),
        ("variables/variables.index", None),
        ("variables/variables.data-00000-of-00001", None),
    ],
)
@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")
def test_a_damaged_model(model, image, tmp_path, file, content):
    """Of other content, or (None) half of its own."""
    shutil.copytree(model / "10", tmp_path / "model")
    path = tmp_path / "model" / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
    with pytest.raises(ValueError, match=r"^MODEL: .*/model is damaged, push it again. TensorFlow reports: \S.*$"):
        predict.predict(str(tmp_path / "model"), [image("a.png", 0)])


def test_a_folder_that_is_no_model(tmp_path, image):
    with pytest.raises(ValueError, match=r"MODEL: '.*' is not a SavedModel"):
        predict.predict(str(tmp_path), [image("a.png", 0)])
    with pytest.raises(ValueError, match=r"MODEL: 'nowhere' is not a SavedModel"):
        predict.predict("nowhere", [image("a.png", 0)])


def test_a_model_of_somebody_else(model, image):
    with pytest.raises(ValueError, match=r"MODEL: .* has no signature 'image_bytes'"):
        predict.predict(str(model / "9"), [image("a.png", 0)])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "not_an_image: 5 bytes that begin with b'hello'"),
        (b"", "empty: 0 bytes"),
        (encoded(GREY, "BMP")[:-9], "truncated: image file is truncated (7 bytes not processed)"),
        (encoded(GREY.convert("F"), "TIFF"), "unsupported: TIFF with pixels of mode F"),
    ],
    ids=["text", "empty", "truncated", "float"],
)
def test_files_that_are_no_images(model, tmp_path, content, reason):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        predict.predict(str(model), [str(path)])
    assert str(error.value) == f"IMAGE: {str(path)!r} is not a readable image ({reason}); leave it out"


def test_a_folder_is_no_image(model, tmp_path):
    with pytest.raises(ValueError, match=r"IMAGE: '.*' is a folder; name the files in it"):
        predict.predict(str(model), [str(tmp_path)])


def test_a_file_that_is_not_there(model):
    with pytest.raises(FileNotFoundError, match=r"IMAGE: no file 'nowhere\.png'"):
        predict.predict(str(model), ["nowhere.png"])
