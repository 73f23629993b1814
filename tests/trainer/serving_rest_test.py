"""The signatures as a client of TensorFlow Serving's REST API meets them: JSON in, JSON out."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_serving
from tf_serving import b64

from trainer import serving
from trainer.data.images import decode
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig

IMAGE = ImageConfig(size=16, channels=1)
NAMES = ("з", "ʒ", "7", "Ω, ω", "猫", '"')


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(2)
    model = classifier.build(Backbone(name="compact_cnn").build(IMAGE), len(NAMES))
    random = np.random.default_rng(1)
    model.get_layer("head").set_weights([random.normal(0, 20, (128, len(NAMES))), random.normal(0, 1, len(NAMES))])
    return model


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    serving.ServingModule(model, IMAGE, NAMES).export(
        saved_model=str(folder / "1"), keras_file=str(folder / serving.KERAS_FILE)
    )
    server = tf_serving.Server(str(folder / "1"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def images() -> list[bytes]:
    random = np.random.default_rng(4)
    blocks = [random.integers(0, 256, (3, 3, channels), np.uint8).repeat(8, 0).repeat(8, 1) for channels in (1, 3)]
    return [tf.io.encode_png(blocks[0]).numpy(), tf.io.encode_jpeg(blocks[1]).numpy()]


def as_example(image: bytes) -> bytes:
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    return tf.train.Example(features=tf.train.Features(feature={"image/encoded": value})).SerializeToString()


REQUESTS = {
    "image_bytes": lambda image: ("image_bytes", image),
    "serving_default": lambda image: ("examples", as_example(image)),
}


@pytest.mark.parametrize("signature_name", REQUESTS)
@pytest.mark.parametrize("by_row", [True, False], ids=["rows", "columns"])
@pytest.mark.parametrize("named", [True, False], ids=["named", "without a name"])
def test_a_request_and_its_answer(server, model, images, signature_name, by_row, named):
    (name,) = {name for name, _ in map(REQUESTS[signature_name], images)}
    values = [b64(content) for _, content in map(REQUESTS[signature_name], images)]
    rows, columns = ([{name: value} for value in values], {name: values}) if named else (values, values)
    data = {"instances": rows} if by_row else {"inputs": columns}
    answer = json.loads(server.post(json.dumps({"signature_name": signature_name, **data})))

    pixels = tf.stack([decode(image, IMAGE) for image in images])
    probabilities = tf.nn.softmax(model(pixels, training=False)["logits"]).numpy()
    order = np.argsort(-probabilities, axis=1)[:, :5]
    assert np.abs(probabilities[0] - probabilities[1]).max() > 1e-3  # else a mix-up would not be seen
    rows = (
        answer["predictions"]
        if by_row
        else [dict(zip(answer["outputs"], row, strict=True)) for row in zip(*answer["outputs"].values(), strict=True)]
    )
    assert len(rows) == len(images)
    for row, expected, best in zip(rows, probabilities, order, strict=True):
        assert set(row) == {"probabilities", "top_labels", "top_probabilities"}
        np.testing.assert_allclose(row["probabilities"], expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(row["top_probabilities"], expected[best], rtol=0, atol=1e-5)
        assert row["top_labels"] == [NAMES[index] for index in best]


def test_a_request_without_a_signature_name_is_for_examples(server, images):
    row = {"examples": b64(as_example(images[0]))}
    (answer,) = json.loads(server.post(json.dumps({"instances": [row]})))["predictions"]
    (named,) = json.loads(server.post(json.dumps({"signature_name": "serving_default", "instances": [row]})))[
        "predictions"
    ]
    assert answer == named and len(answer["top_labels"]) == 5


def test_only_labels_leave_as_text(server):
    # A label named `..._bytes` would leave as base64; bytes under another name could not be written as JSON at all.
    for name in REQUESTS:
        strings = {
            key for key, info in server.signatures[name].outputs.items() if info.dtype == tf.string.as_datatype_enum
        }
        assert strings == {"top_labels"}
        assert {info.tensor_shape.dim[0].size for info in server.signatures[name].outputs.values()} == {-1}
