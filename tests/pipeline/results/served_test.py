"""A server's answers, by REST and by gRPC, are what `specialist predict` says of the same files."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_serving
from tensorflow_serving.apis import predict_pb2
from tf_serving import b64

from pipeline.results import predict
from trainer import serving
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig

IMAGE = ImageConfig(size=16, channels=1)
NAMES = ("з", "ʒ", "7", "Ω, ω", "猫", '"', "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a version, as the Pusher leaves it."""
    keras.utils.set_random_seed(2)
    model = classifier.build(Backbone(name="compact_cnn").build(IMAGE), len(NAMES))
    random = np.random.default_rng(1)
    model.get_layer("head").set_weights([random.normal(0, 20, (128, len(NAMES))), random.normal(0, 1, len(NAMES))])
    folder = tmp_path_factory.mktemp("serving") / "digits"
    serving.ServingModule(model, IMAGE, NAMES).export(saved_model=str(folder / "1700000007"))
    return folder


@pytest.fixture(scope="module")
def server(folder):
    server = tf_serving.Server(str(folder / "1700000007"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def files(folder):
    """Three images of other sizes and formats."""
    random = np.random.default_rng(4)
    blocks = [
        random.integers(0, 256, (height, 3, channels), np.uint8).repeat(8, 0).repeat(8, 1)
        for height, channels in ((3, 1), (5, 3), (2, 3))
    ]
    encode = (tf.io.encode_png, tf.io.encode_jpeg, tf.io.encode_png)
    files = [folder.parent / name for name in ("a.png", "b.jpg", "c.png")]
    for file, function, pixels in zip(files, encode, blocks, strict=True):
        file.write_bytes(function(pixels).numpy())
    return files


@pytest.fixture(scope="module")
def expected(folder, files):
    saved_model, _ = predict.find_saved_model(str(folder))
    found = list(predict.predict(saved_model, map(str, files)))
    best = [each.probabilities[0] for each in found]
    assert min(abs(one - other) for one, other in ((best[0], best[1]), (best[0], best[2]), (best[1], best[2]))) > 1e-3
    return found


def test_by_rest(server, files, expected):
    instances = [b64(file.read_bytes()) for file in files]
    answer = json.loads(server.post(json.dumps({"signature_name": "image_bytes", "instances": instances})))
    assert answer.keys() == {"predictions"}
    for row, prediction in zip(answer["predictions"], expected, strict=True):
        assert row["top_labels"] == prediction.labels
        np.testing.assert_allclose(row["top_probabilities"], prediction.probabilities, rtol=0, atol=1e-6)
        of_label = dict(zip(NAMES, row["probabilities"], strict=True))
        chosen = [of_label[name] for name in prediction.labels]
        np.testing.assert_allclose(chosen, prediction.probabilities, rtol=0, atol=1e-6)


def test_by_grpc(server, files, expected):
    request = predict_pb2.PredictRequest(model_spec={"name": "digits", "signature_name": "image_bytes"})
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([file.read_bytes() for file in files]))
    request = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    outputs = {key: tf.make_ndarray(value) for key, value in server.predict(request).outputs.items()}
    assert {key: value.shape for key, value in outputs.items()} == {
        "probabilities": (3, 7),
        "top_labels": (3, 5),
        "top_probabilities": (3, 5),
    }
    for number, prediction in enumerate(expected):
        assert [name.decode() for name in outputs["top_labels"][number]] == prediction.labels
        np.testing.assert_allclose(outputs["top_probabilities"][number], prediction.probabilities, rtol=0, atol=1e-6)


def test_one_output_by_grpc_and_by_rest(server, files, expected):
    request = predict_pb2.PredictRequest(
        model_spec={"name": "digits", "signature_name": "image_bytes"}, output_filter=["top_labels"]
    )
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([files[1].read_bytes()]))
    response = server.predict(request)
    assert set(response.outputs) == {"top_labels"}
    assert [name.decode() for name in response.outputs["top_labels"].string_val] == expected[1].labels
    decode = {"signature_name": "decode", "inputs": b64(files[0].read_bytes())}
    answer = json.loads(server.post(json.dumps(decode)))
    assert np.shape(answer["outputs"]) == (16, 16, 1)  # the values alone, since there is one output
