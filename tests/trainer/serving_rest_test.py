"""The signatures as a client of TensorFlow Serving's REST API meets them: JSON in, JSON out.

The rules are those of the server: https://www.tensorflow.org/tfx/serving/api_rest. A string of an input may come as
`{"b64": ...}`; a string of an output leaves so only if its name ends in `_bytes`, and has to be UTF-8 otherwise.
"""

import base64
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

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
def signature_defs(model, tmp_path_factory):
    """The signatures as the server sees them: names, types and shapes of the graph's tensors, and a session."""
    folder = tmp_path_factory.mktemp("served")
    serving.ServingModule(model, IMAGE, NAMES).export(
        saved_model=str(folder / "1"), keras_file=str(folder / serving.KERAS_FILE)
    )
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(folder / "1"))
    yield loaded.signature_def, session
    session.close()


@pytest.fixture(scope="module")
def images() -> list[bytes]:
    random = np.random.default_rng(4)
    blocks = [random.integers(0, 256, (3, 3, channels), np.uint8).repeat(8, 0).repeat(8, 1) for channels in (1, 3)]
    return [tf.io.encode_png(blocks[0]).numpy(), tf.io.encode_jpeg(blocks[1]).numpy()]


@pytest.fixture
def post(signature_defs):
    defs, session = signature_defs

    def post(body: str) -> str:
        """Returns the server's answer to `body`, sent to `/v1/models/...:predict`."""
        request = json.loads(body)
        signature = defs[request.get("signature_name", "serving_default")]
        by_row = "instances" in request
        columns = _columns_of_rows(request["instances"]) if by_row else request["inputs"]
        assert set(columns) == set(signature.inputs)
        fed = {signature.inputs[name].name: _decoded(value) for name, value in columns.items()}
        outputs = session.run({name: info.name for name, info in signature.outputs.items()}, fed)
        columns = {name: _encoded(value, as_base64=name.endswith("_bytes")) for name, value in outputs.items()}
        if not by_row:
            return json.dumps({"outputs": columns}, allow_nan=False)
        assert len({len(column) for column in columns.values()}) == 1  # else the server refuses
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return json.dumps({"predictions": rows}, allow_nan=False)

    return post


def _columns_of_rows(rows: list[dict]) -> dict[str, list]:
    (names,) = {tuple(sorted(row)) for row in rows}
    return {name: [row[name] for row in rows] for name in names}


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    assert isinstance(value, str) or set(value) == {"b64"}
    return value.encode() if isinstance(value, str) else base64.b64decode(value["b64"], validate=True)


def _encoded(value, *, as_base64: bool):
    if isinstance(value, np.ndarray):
        return [_encoded(item, as_base64=as_base64) for item in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()} if as_base64 else value.decode("utf-8")
    return value.item()


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def as_example(image: bytes) -> bytes:
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    return tf.train.Example(features=tf.train.Features(feature={"image/encoded": value})).SerializeToString()


REQUESTS = {
    "image_bytes": lambda image: ("image_bytes", image),
    "serving_default": lambda image: ("examples", as_example(image)),
}


@pytest.mark.parametrize("signature_name", REQUESTS)
@pytest.mark.parametrize("by_row", [True, False], ids=["rows", "columns"])
def test_a_request_and_its_answer(post, model, images, signature_name, by_row):
    (name,) = {name for name, _ in map(REQUESTS[signature_name], images)}
    values = [b64(content) for _, content in map(REQUESTS[signature_name], images)]
    data = {"instances": [{name: value} for value in values]} if by_row else {"inputs": {name: values}}
    answer = json.loads(post(json.dumps({"signature_name": signature_name, **data})))

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


def test_a_request_without_a_signature_name_is_for_examples(post, images):
    row = {"examples": b64(as_example(images[0]))}
    (answer,) = json.loads(post(json.dumps({"instances": [row]})))["predictions"]
    (named,) = json.loads(post(json.dumps({"signature_name": "serving_default", "instances": [row]})))["predictions"]
    assert answer == named and len(answer["top_labels"]) == 5


def test_only_labels_leave_as_text(signature_defs):
    # A label named `..._bytes` would leave as base64; bytes under another name could not be written as JSON at all.
    defs, _ = signature_defs
    for name in REQUESTS:
        strings = {key for key, info in defs[name].outputs.items() if info.dtype == tf.string.as_datatype_enum}
        assert strings == {"top_labels"}
        assert {info.tensor_shape.dim[0].size for info in defs[name].outputs.values()} == {-1}
