"""What TensorFlow Serving does with a request, after its documentation: JSON or a PredictRequest in, the same out.

The rules of REST are in https://www.tensorflow.org/tfx/serving/api_rest. `instances` has a row for each example,
`inputs` a column for each input; where a signature has one input, its name may be left out. A string may come as
`{"b64": …}`. A string of an output goes out so only if its name ends in `_bytes`, and has to be UTF-8 otherwise. The
fields of gRPC are in tensorflow_serving/apis/predict.proto.
"""

import base64
import json
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

_DEFAULT = "serving_default"


class Server:
    """A SavedModel as a server has it: names, types and shapes of the graph's tensors, and a session.

    Args:
      saved_model: its folder.
    """

    def __init__(self, saved_model: str):
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], saved_model)
        self.signatures = loaded.signature_def

    def close(self) -> None:
        self._session.close()

    def post(self, body: str) -> str:
        """Returns the answer to `body`, sent to `/v1/models/...:predict`."""
        request = json.loads(body)
        assert ("instances" in request) != ("inputs" in request)
        by_row = "instances" in request
        name = request.get("signature_name", _DEFAULT)
        inputs = self.signatures[name].inputs
        columns = _columns_of_rows(request["instances"], inputs) if by_row else _columns(request["inputs"], inputs)
        columns = self._run(name, {key: _decoded(value) for key, value in columns.items()})
        encoded = {key: _encoded(value, as_base64=key.endswith("_bytes")) for key, value in columns.items()}
        only = next(iter(encoded.values())) if len(encoded) == 1 else None  # its name is not said
        if not by_row:
            return json.dumps({"outputs": only or encoded}, allow_nan=False)
        assert len({len(column) for column in encoded.values()}) == 1  # else the server refuses
        rows = [dict(zip(encoded, row, strict=True)) for row in zip(*encoded.values(), strict=True)]
        return json.dumps({"predictions": only or rows}, allow_nan=False)

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Returns the answer to the method Predict of the PredictionService."""
        name = request.model_spec.signature_name or _DEFAULT
        found = self._run(name, {key: tf.make_ndarray(value) for key, value in request.inputs.items()})
        response = predict_pb2.PredictResponse(model_spec={"signature_name": name})
        for key in request.output_filter or found:
            response.outputs[key].CopyFrom(tf.make_tensor_proto(found[key]))
        return response

    def _run(self, name: str, columns: dict[str, Any]) -> dict[str, np.ndarray]:
        signature = self.signatures[name]
        assert columns.keys() == set(signature.inputs)
        given = {signature.inputs[key].name: value for key, value in columns.items()}
        return self._session.run({key: info.name for key, info in signature.outputs.items()}, given)


def b64(content: bytes) -> dict[str, str]:
    """Returns a string as a client sends it in JSON."""
    return {"b64": base64.b64encode(content).decode()}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and set(value) != {"b64"}


def _columns(value: Any, inputs: Any) -> dict[str, Any]:
    if _is_named(value):
        return value
    (name,) = inputs
    return {name: value}


def _columns_of_rows(rows: list, inputs: Any) -> dict[str, list]:
    named = [_columns(row, inputs) for row in rows]
    (names,) = {tuple(sorted(row)) for row in named}
    return {name: [row[name] for row in named] for name in names}


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    assert isinstance(value, str) or set(value) == {"b64"}
    return value.encode() if isinstance(value, str) else base64.b64decode(value["b64"], validate=True)


def _encoded(value: Any, *, as_base64: bool) -> Any:
    if isinstance(value, np.ndarray):
        return [_encoded(item, as_base64=as_base64) for item in value]
    if isinstance(value, bytes):
        return b64(value) if as_base64 else value.decode("utf-8")
    return value.item()
