"""The schemas say of every feature of the statistics what it has to be."""

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import schemas
from components.artifacts import index
from components.example_gen.images import check as image_check
from components.statistics_gen import features

KINDS = {pa.binary(): schema_pb2.BYTES, pa.int64(): schema_pb2.INT, pa.float64(): schema_pb2.FLOAT}


@pytest.fixture(params=["source", "target"])
def schema(request) -> schema_pb2.Schema:
    text = (schemas.folder(request.param) / "schema.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, schema_pb2.Schema())


def test_every_feature_is_described_by_its_type(schema):
    batch = features.of_index(index.table([]), ("x",))
    assert {feature.name: feature.type for feature in schema.feature} == {
        field.name: KINDS[field.type.value_type] for field in batch.schema
    }


def test_every_feature_has_to_be_there(schema):
    for feature in schema.feature:
        assert (feature.presence.min_fraction, feature.presence.min_count) == (1, 1), feature.name


def test_formats(schema):
    domains = {domain.name: tuple(domain.value) for domain in schema.string_domain}
    assert {feature.name: domains.pop(feature.domain) for feature in schema.feature if feature.domain} == {
        "image/format": ("jpeg", "png"),
        "image/original_format": image_check.FORMATS,
    }
    assert not domains


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
