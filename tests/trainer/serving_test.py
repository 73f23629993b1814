import json
import subprocess
import sys
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import examples, model_labels
from trainer import serving
from trainer.data import input_pipeline
from trainer.data.images import decode
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig

IMAGE = ImageConfig(size=16, channels=1)
NAMES = ("з", "ʒ", "7", "ვ", "Ω, ω", "猫")  # more than five, most of them not ASCII, one with a comma


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("artifact")


@pytest.fixture(scope="module")
def model(folder) -> keras.Model:
    keras.utils.set_random_seed(2)
    model = classifier.build(Backbone(name="compact_cnn").build(IMAGE), len(NAMES), dropout=0.5)
    random = np.random.default_rng(1)
    model(random.integers(0, 256, (8, 16, 16, 1), np.uint8), training=True)  # moves the moving statistics a little
    # A random head gives nearly the same answer to everything; a comparison would not notice mixed-up images.
    model.get_layer("head").set_weights([random.normal(0, 5, (128, len(NAMES))), random.normal(0, 1, len(NAMES))])
    serving.ServingModule(model, IMAGE, NAMES).export(
        saved_model=str(folder / "Format-Serving"),
        keras_file=str(folder / serving.KERAS_FILE),
    )
    return model


@pytest.fixture(scope="module")
def signatures(folder, model) -> dict[str, Callable]:
    """The signatures of the SavedModel, loaded once."""
    return tf.saved_model.load(str(folder / "Format-Serving")).signatures


@pytest.fixture(scope="module")
def images() -> list[bytes]:
    """One as the network wants it, one too large, not square and coloured, and a JPEG."""
    random = np.random.default_rng(4)
    exact = random.integers(0, 256, (16, 16, 1), np.uint8)
    large = random.integers(0, 100, (40, 31, 3), np.uint8)
    grey = random.integers(100, 256, (20, 17, 1), np.uint8)
    return [tf.io.encode_png(exact).numpy(), tf.io.encode_png(large).numpy(), tf.io.encode_jpeg(grey).numpy()]


def expected(model: keras.Model, images: list[bytes]) -> dict[str, np.ndarray]:
    """What the model says of the images as training and evaluation decode them."""
    outputs = model(tf.stack([decode(image, IMAGE) for image in images]), training=False)
    probabilities = tf.nn.softmax(outputs["logits"]).numpy()
    return {"probabilities": probabilities, **{name: value.numpy() for name, value in outputs.items()}}


@pytest.fixture(scope="module")
def answers(model, images) -> dict[str, np.ndarray]:
    return expected(model, images)


def as_files() -> list[bytes]:
    """Seven images of several sizes and formats, the first as the network wants it."""
    random = np.random.default_rng(6)

    def pixels(height: int, width: int, channels: int) -> np.ndarray:
        # Blocks, because noise is nearly the same grey everywhere once it is made smaller.
        return random.integers(0, 256, (height, width, channels), np.uint8).repeat(8, axis=0).repeat(8, axis=1)

    return [
        tf.io.encode_png(pixels(2, 2, 1)).numpy(),
        tf.io.encode_jpeg(pixels(5, 4, 1)).numpy(),
        tf.io.encode_jpeg(pixels(4, 9, 3)).numpy(),
        tf.io.encode_png(pixels(1, 1, 3)).numpy(),
        tf.io.encode_png(pixels(3, 2, 4)).numpy(),
        tf.io.encode_png(pixels(6, 6, 1).astype(np.uint16) * 257).numpy(),
        tf.io.encode_jpeg(pixels(2, 2, 3), progressive=True, chroma_downsampling=False).numpy(),
    ]


@pytest.mark.parametrize("number", [1, 7])
def test_a_server_answers_what_the_trainer_evaluated(signatures, model, write_split, tmp_path, number):
    pattern = write_split(str(tmp_path), as_files()[:number], [0] * number, split="test")
    batches = input_pipeline.evaluation_batches([pattern], IMAGE, batch_size=7)
    predict = tf.function(lambda pixels: model(pixels, training=False)["logits"])  # as the Trainer evaluates
    evaluated = np.concatenate([tf.nn.softmax(predict(pixels)) for pixels, *_ in batches])
    assert evaluated.shape == (number, len(NAMES))
    records = list(tf.data.TFRecordDataset(tf.io.gfile.glob(pattern)).as_numpy_iterator())
    images = [
        examples.image_of(tf.train.Example.FromString(record)) for record in records
    ]  # one of them was transparent

    served = {
        "serving_default": signatures["serving_default"](examples=tf.constant(records)),
        "image_bytes": signatures["image_bytes"](image_bytes=tf.constant(images)),
    }
    # So different that a wrong order would be seen.
    distances = np.abs(evaluated[:, None] - evaluated[None]).max(axis=2)
    assert (distances[~np.eye(number, dtype=bool)] > 1e-3).all()
    for outputs in served.values():
        np.testing.assert_allclose(outputs["probabilities"], evaluated, rtol=0, atol=1e-5)


def as_example(image: bytes) -> bytes:
    """An Example with nothing but its image, as a client may send it."""
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    return tf.train.Example(features=tf.train.Features(feature={"image/encoded": value})).SerializeToString()


class SignaturesTest(tf.test.TestCase):
    @pytest.fixture(autouse=True)
    def _exported(self, folder, signatures, images, answers):
        self.folder, self.signatures, self.images, self.expected = folder, signatures, images, answers

    def check(self, outputs: dict[str, tf.Tensor], rows: slice) -> None:
        probabilities = self.expected["probabilities"][rows]
        self.assertEqual(set(outputs), {"probabilities", "top_labels", "top_probabilities"})
        self.assertAllClose(outputs["probabilities"], probabilities, rtol=1e-5)
        order = np.argsort(-probabilities, axis=1)[:, :5]
        self.assertAllClose(outputs["top_probabilities"], np.take_along_axis(probabilities, order, axis=1), rtol=1e-5)
        labels = [[name.decode() for name in row] for row in outputs["top_labels"].numpy()]
        self.assertEqual(labels, [[NAMES[index] for index in row] for row in order])

    def test_images_of_three_formats_and_sizes_in_one_batch(self):
        self.check(self.signatures["image_bytes"](image_bytes=tf.constant(self.images)), slice(0, 3))

    def test_a_single_image(self):
        self.check(self.signatures["image_bytes"](image_bytes=tf.constant(self.images[1:2])), slice(1, 2))

    def test_serialized_examples(self):
        examples = [as_example(image) for image in self.images]
        self.check(self.signatures["serving_default"](examples=tf.constant(examples)), slice(0, 3))
        self.check(self.signatures["serving_default"](examples=tf.constant(examples[2:])), slice(2, 3))

    def test_features(self):
        # Decoding and the network, one after the other, as batch jobs call them.
        pixels = [self.signatures["decode"](encoded=tf.constant(image))["pixels"] for image in self.images]
        self.assertEqual({image.dtype for image in pixels}, {tf.uint8})
        outputs = self.signatures["features"](pixels=tf.stack(pixels))
        self.assertEqual(set(outputs), {"logits", "features"})
        self.assertAllClose(outputs["logits"], self.expected["logits"], rtol=1e-4, atol=1e-5)
        self.assertAllClose(outputs["features"], self.expected["features"], rtol=1e-4, atol=1e-5)

    def test_a_session_that_restores_by_name_as_tensorflow_serving_does(self):
        with tf.compat.v1.Session(graph=tf.Graph()) as session:
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(self.folder / "Format-Serving"))
            signature = loaded.signature_def["image_bytes"]
            probabilities = session.run(
                signature.outputs["probabilities"].name, {signature.inputs["image_bytes"].name: self.images}
            )
        self.assertAllClose(probabilities, self.expected["probabilities"], rtol=1e-5)


class ExportTest(tf.test.TestCase):
    @pytest.fixture(autouse=True)
    def _exported(self, folder, model, images):
        self.folder, self.model, self.images = folder, model, images

    def test_the_keras_file_lies_beside_what_is_pushed(self):
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"Format-Serving", "Format-Keras"})
        self.assertEqual(list(self.folder.rglob("*.keras")), [self.folder / "Format-Keras" / "model.keras"])

    def test_the_label_names_are_in_the_saved_model(self):
        self.assertEqual(model_labels.read(str(self.folder / "Format-Serving")), NAMES)
        self.assertIsNone(model_labels.read(str(self.folder)))

    def test_the_keras_file_is_the_model(self):
        loaded = keras.saving.load_model(self.folder / serving.KERAS_FILE, compile=False)
        pixels = tf.stack([decode(image, IMAGE) for image in self.images])
        self.assertAllEqual(loaded(pixels)["logits"], self.model(pixels)["logits"])

    def test_tensorflow_alone_serves_it(self):
        code = (
            "import json, sys, tensorflow as tf\n"
            "served = tf.saved_model.load(sys.argv[1]).signatures['image_bytes']\n"
            "image = tf.constant([tf.io.read_file(sys.argv[2]).numpy()])\n"
            "answer = served(image_bytes=image)\n"
            "json.dump({\n"
            "    'labels': [name.decode() for name in answer['top_labels'][0].numpy()],\n"
            "    'probabilities': answer['probabilities'][0].numpy().tolist(),\n"
            "    'ours': sorted({'trainer', 'components', 'pipeline', 'schemas'} & set(sys.modules)),\n"
            "}, sys.stdout)\n"
        )
        image = self.folder.parent / "image.png"
        image.write_bytes(self.images[1])
        done = subprocess.run(
            [sys.executable, "-I", "-c", code, str(self.folder / "Format-Serving"), str(image)],
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        answer = json.loads(done.stdout)
        (probabilities,) = expected(self.model, self.images[1:2])["probabilities"]
        self.assertEqual(answer["ours"], [])
        self.assertAllClose(answer["probabilities"], probabilities, rtol=1e-5)
        self.assertEqual(answer["labels"], [NAMES[index] for index in np.argsort(-probabilities)[:5]])


def test_fewer_labels_than_five_are_all_returned(images):
    model = classifier.build(Backbone(name="compact_cnn").build(IMAGE), 3)
    served = serving.ServingModule(model, IMAGE, ("a", "b", "c")).concrete_signatures()["image_bytes"]
    answer = served(image_bytes=tf.constant(images))
    assert answer["top_probabilities"].shape == (3, 3)
    for row in answer["top_labels"].numpy():
        assert sorted(row) == [b"a", b"b", b"c"]


def test_an_auxiliary_head_is_not_served():
    pixels = keras.Input((IMAGE.size, IMAGE.size, IMAGE.channels))
    flat = keras.layers.Flatten()(pixels)
    backbone = keras.Model(pixels, {"features": flat, "auxiliary": flat}, name="backbone")
    signatures = serving.ServingModule(classifier.build(backbone, 2), IMAGE, ("a", "b")).concrete_signatures()
    assert set(signatures["features"].structured_outputs) == {"logits", "features"}
