"""The schemas say of every feature that the ExampleGens write what it has to be."""

import io

import PIL.Image
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import schemas
from components.example_gen import examples

# Of the image's bytes and of the id, which is unique, statistics say nothing; the text follows from the label.
UNDESCRIBED = {"image/encoded", "image/class/text", "image/source_id"}
KINDS = {"bytes_list": schema_pb2.BYTES, "int64_list": schema_pb2.INT}


@pytest.fixture(params=["source", "target"])
def schema(request) -> schema_pb2.Schema:
    text = (schemas.folder(request.param) / "schema.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, schema_pb2.Schema())


@pytest.fixture
def written() -> dict[str, tf.train.Feature]:
    file = io.BytesIO()
    PIL.Image.new("L", (3, 2)).save(file, "PNG")
    example = examples.LabelledImage(file.getvalue(), (1,), "a")
    record = examples.keyed(example, split="train", names=("x", "y")).record
    return dict(tf.train.Example.FromString(record).features.feature)


def test_every_feature_is_described_by_its_type(schema, written):
    assert {feature.name: feature.type for feature in schema.feature} == {
        name: KINDS[value.WhichOneof("kind")] for name, value in written.items() if name not in UNDESCRIBED
    }
    assert written.keys() >= UNDESCRIBED


def test_every_feature_has_to_be_there(schema):
    for feature in schema.feature:
        assert (feature.presence.min_fraction, feature.presence.min_count) == (1, 1), feature.name


def test_formats(schema):
    (domain,) = schema.string_domain
    (feature,) = (feature for feature in schema.feature if feature.domain)
    assert (feature.name, feature.domain) == ("image/format", domain.name)
    assert list(domain.value) == ["jpeg", "png"]


def test_a_source_may_have_several_labels_an_image_and_a_target_has_one():
    labels = {}
    for side in ("source", "target"):
        text = (schemas.folder(side) / "schema.pbtxt").read_text(encoding="utf-8")
        schema = text_format.Parse(text, schema_pb2.Schema())
        (labels[side],) = (feature for feature in schema.feature if feature.name == "image/class/label")
    assert (labels["source"].value_count.min, labels["source"].value_count.max) == (1, 0)  # 0: no limit
    assert not labels["source"].HasField("shape")
    assert [dim.size for dim in labels["target"].shape.dim] == [1]


@pytest.mark.parametrize("side", ["x", "", "sources"])
def test_other_sides(side):
    with pytest.raises(ValueError) as error:
        schemas.folder(side)
    assert str(error.value) == f"side: {side!r} has no schema; choose 'source' or 'target'"
