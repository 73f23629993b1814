"""SourceExampleGen and TargetExampleGen as nodes of a pipeline."""

import dataclasses

import pytest
import tensorflow_datasets as tfds
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.utils import json_utils

import components
from components import code_version
from components.example_gen import executor, tfds_reader
from components.example_gen.tfds_reader import TfdsDataset


@pytest.fixture
def dataset(prepare, picture) -> TfdsDataset:
    features = {"photo": tfds.features.Image(), "kind": tfds.features.ClassLabel(names=["a", "b"])}
    rows = {"train": [{"photo": picture(i), "kind": i} for i in range(2)]}
    return prepare(rows, features, splits={"train": "train[:1]", "eval": "train[1:]"}, image_key="photo")


@pytest.fixture(params=["SourceExampleGen", "TargetExampleGen"])
def example_gen(request):
    return getattr(components, request.param)


def test_its_parameters_say_what_the_files_depend_on(example_gen, dataset):
    node = example_gen(dataset=dataset, shards=3)
    dataset_json = node.exec_properties.pop("dataset")
    assert node.exec_properties == {
        "shards": 3,
        "perceptual_hashes": 0,
        "fingerprint": tfds_reader.fingerprint(dataset),
        "code_version": code_version.code_version("components.example_gen.executor"),
    }
    assert TfdsDataset(**json_utils.loads(dataset_json)) == dataset


def test_its_outputs(example_gen, dataset):
    node = example_gen(dataset=dataset)
    assert {name: channel.type for name, channel in node.outputs.items()} == {
        "examples": standard_artifacts.Examples,
        "index": components.ExampleIndex,
        "vocabulary": components.LabelVocabulary,
    }
    assert dict(node.inputs) == {}
    assert node.exec_properties["shards"] == 0
    assert isinstance(node.executor_spec, executor_spec.BeamExecutorSpec)
    assert node.executor_spec.executor_class is executor.Executor


def test_it_is_run_again_when_the_data_change(example_gen, dataset, prepare, picture, tmp_path):
    features = {"photo": tfds.features.Image(), "kind": tfds.features.ClassLabel(names=["a", "c"])}
    rows = {"train": [{"photo": picture(i), "kind": i} for i in range(2)]}
    changed = prepare(rows, features, splits=dataset.splits, image_key="photo", folder=tmp_path / "changed")
    fingerprints = {example_gen(dataset=data).exec_properties["fingerprint"] for data in (dataset, changed)}
    assert len(fingerprints) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [("pictuers", "dataset: 'pictuers' is not a TFDS data set"), ("mnist", "dataset: 'mnist' is not prepared in ")],
    ids=["unknown", "not prepared"],
)
def test_a_data_set_that_is_not_there_is_refused_when_the_pipeline_is_made(example_gen, dataset, name, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        example_gen(dataset=dataclasses.replace(dataset, name=name))
