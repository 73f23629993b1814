"""Asking a pushed model: which version, and what each mistake says."""

import io
import json
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
    folder, broken = predict.find_saved_model(str(model))
    assert (folder, broken) == (str(model / "10"), [])
    dark, bright = predict.predict(folder, iter(files))
    assert (dark.file, dark.labels) == (files[0], ["dark", "bright"])
    assert dark.probabilities == pytest.approx([0.8, 0.2], abs=1e-6)
    assert (bright.file, bright.labels) == (files[1], ["bright", "dark"])
    assert predict.find_saved_model(folder) == (folder, [])
    assert list(predict.predict(folder, files[:1])) == [dark]


def test_the_first_picture_of_several_in_a_jpeg(model, tmp_path):
    # As phones write them; PIL calls it another format.
    first, second = (PIL.Image.new("RGB", (8, 8), (value, value, value)) for value in (51, 255))
    path = tmp_path / "photo.jpg"
    first.save(path, "MPO", save_all=True, append_images=[second])
    with PIL.Image.open(path) as image:
        assert image.format == "MPO"
    (prediction,) = predict.predict(str(model / "10"), [str(path)])
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
    (prediction,) = predict.predict(str(model / "10"), [str(path)])
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


def test_a_folder_that_is_no_model(tmp_path):
    for name in (str(tmp_path), "nowhere"):
        with pytest.raises(ValueError, match=rf"MODEL: '{name}' is not a complete SavedModel .*; name a pushed model"):
            predict.find_saved_model(name)
    (tmp_path / "1").mkdir()
    with pytest.raises(ValueError, match="push it again"):
        predict.find_saved_model(str(tmp_path))


def test_broken_versions_that_are_newer_are_passed_over_and_named(model, tmp_path):
    shutil.copytree(model / "10", tmp_path / "10")
    shutil.copytree(model / "10", tmp_path / "12")
    (tmp_path / "12" / "saved_model.pb").unlink()
    # What a copy that was cut off leaves beside the weights is none of them.
    (tmp_path / "10" / "variables" / "variables.data-00000-of-00001.part").touch()
    for name in ("11", "9", "\u00b2", "\u0661\u0662", "12-old", "12 "):
        (tmp_path / name).mkdir()
    (tmp_path / "13").write_text("a file")
    broken = [str(tmp_path / version) for version in ("12", "11")]
    assert predict.find_saved_model(str(tmp_path)) == (str(tmp_path / "10"), broken)


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
        (None, "No such file or directory"),
    ],
    ids=["text", "empty", "truncated", "float", "not there"],
)
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_what_cannot_be_read_has_its_own_line_and_the_others_are_answered(
    model, image, tmp_path, content, reason, batch_size
):
    broken = tmp_path / "broken.png"
    if content is not None:
        broken.write_bytes(content)
    files = [image("dark.png", 51), str(broken), image("bright.png", 255)]
    dark, failed, bright = predict.predict(str(model / "10"), files, batch_size)
    assert (dark.labels[0], bright.labels[0]) == ("dark", "bright")
    assert failed == predict.Prediction(str(broken), error=reason)


def test_what_only_the_network_cannot_read_is_found_in_its_batch(image):
    def signature(image_bytes):
        if b"GIF" in image_bytes.numpy()[0] or b"GIF" in image_bytes.numpy()[-1]:
            raise tf.errors.InvalidArgumentError(None, None, "no GIF")
        count = len(image_bytes)
        return {"top_labels": tf.constant([["x"]] * count), "top_probabilities": tf.ones([count, 1])}

    answers = list(predict._call(signature, [b"PNG", b"PNG", b"GIF"]))
    assert [answer.error for answer in answers] == [None, None, "no GIF"]
    assert [answer.labels for answer in answers] == [["x"], ["x"], []]


def test_files_are_read_when_their_turn_comes(model, image):
    files = [image(f"{i}.png", 10 * i) for i in range(7)]
    taken = []

    def give():
        for file in files:
            taken.append(file)
            yield file

    answers = predict.predict(str(model / "10"), give(), batch_size=3)
    assert taken == []
    assert next(answers).file == files[0] and len(taken) == 3
    assert [answer.file for answer in answers] == files[1:]


def test_the_images_of_folders_and_of_the_input(tmp_path):
    for name in ("b/2.JPG", "b/a/3.png", "b/notes.txt", "a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = predict.find_images(["x.bin", str(tmp_path), "-"], iter(["one.png\n", "\n", "two words.png\n"]))
    assert list(found) == [
        "x.bin",
        *(f"{tmp_path}/{name}" for name in ("a.png", "b/2.JPG", "b/a/3.png")),
        "one.png",
        "two words.png",
    ]


def test_each_format():
    found = [
        predict.Prediction("a, b.png", ["ü", "y"], [0.75, 0.25]),
        predict.Prediction("c.png", error="empty: 0 bytes"),
    ]
    assert list(predict.lines_of(found, "text")) == [
        "a, b.png: ü 75.0%  y 25.0%",
        "c.png: cannot be read: empty: 0 bytes",
    ]
    assert list(predict.lines_of(found, "csv")) == [
        "file,label,probability,error",
        '"a, b.png",ü,0.75,',
        "c.png,,,empty: 0 bytes",
    ]
    lines = [json.loads(line) for line in predict.lines_of(found, "json")]
    assert lines[0] == {"file": "a, b.png", "labels": ["ü", "y"], "probabilities": [0.75, 0.25], "error": None}
    assert lines[1]["error"] == "empty: 0 bytes"
