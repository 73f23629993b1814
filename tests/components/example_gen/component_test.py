"""SourceExampleGen and TargetExampleGen as nodes of a pipeline."""

import pytest
import tensorflow_datasets as tfds
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.utils import json_utils

import components
from components import code_version
from components.example_gen import executor, hierarchy_file, readers
from components.example_gen.readers.folder import FolderReader
from components.example_gen.readers.tfds import TfdsReader


@pytest.fixture
def dataset(prepare, picture) -> TfdsReader:
    features = {"photo": tfds.features.Image(), "kind": tfds.features.ClassLabel(names=["a", "b"])}
    rows = {"train": [{"photo": picture(i), "kind": i} for i in range(2)]}
    return prepare(rows, features, splits={"train": "train[:1]", "eval": "train[1:]"}, image_key="photo")


@pytest.fixture(params=["SourceExampleGen", "TargetExampleGen"])
def example_gen(request):
    return getattr(components, request.param)


def test_its_parameters_say_what_the_files_depend_on(example_gen, dataset):
    node = example_gen(dataset=dataset, shards=3, max_pixels=20, max_rejected=0.5)
    dataset_json = node.exec_properties.pop("dataset")
    assert node.exec_properties == {
        "hierarchy": "null",
        "shards": 3,
        "max_pixels": 20,
        "max_rejected": 0.5,
        "check": "full",
        "perceptual_hashes": 0,
        "scale_16_bit": "max",
        "working": None,
        "fingerprint": dataset.fingerprint(),
        "code_version": code_version.code_version(
            "components.example_gen.executor", "components.example_gen.readers.tfds"
        ),
    }
    assert readers.loads(dataset_json) == dataset


def test_its_outputs(example_gen, dataset):
    node = example_gen(dataset=dataset)
    assert {name: channel.type for name, channel in node.outputs.items()} == {
        "examples": standard_artifacts.Examples,
        "index": components.ExampleIndex,
        "vocabulary": components.LabelVocabulary,
        "rejected": components.Rejected,
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


def test_it_is_run_again_when_the_hierarchy_changes(example_gen, dataset, tmp_path):
    path = tmp_path / "hierarchy.csv"
    files = hierarchy_file.HierarchyFile(str(path))
    found = []
    for text in ("name,parent\na,c\n", "name,parent\na,d\n", "name,parent,why\na,d,x\n"):
        path.write_text(text)
        node = example_gen(dataset=dataset, hierarchy=files)
        assert json_utils.loads(node.exec_properties["hierarchy"]) == {
            "file": str(path),
            "titles": None,
            "encoding": "utf-8",
        }
        found.append(node.exec_properties["fingerprint"])
    assert len(set(found)) == 2 and found[1] == found[2]
    assert example_gen(dataset=dataset).exec_properties["fingerprint"] not in found


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"file": "{}/nowhere.csv"}, r"^hierarchy\.file: '.*nowhere\.csv' cannot be read: .*No such"),
        ({"file": "{}/a.csv", "titles": "{}/no.txt"}, r"^hierarchy\.titles: '.*no\.txt' cannot be read: .*No such"),
        ({"file": "{}/b.csv"}, r"^hierarchy of .*/b\.csv: begins with 'name'; allowed are CSV with"),
        ({"file": "{}/c.csv"}, r"^hierarchy of .*/c\.csv: 'a' → 'b' → 'a' is a cycle"),
    ],
    ids=["no file", "no titles", "no hierarchy", "cycle"],
)
def test_a_hierarchy_that_cannot_be_read_is_refused_when_the_pipeline_is_made(
    example_gen, dataset, tmp_path, files, message
):
    (tmp_path / "a.csv").write_text("name,parent\na,b\n")
    (tmp_path / "b.csv").write_text("name")
    (tmp_path / "c.csv").write_text("name,parent\na,b\nb,a\n")
    files = hierarchy_file.HierarchyFile(**{key: path.format(tmp_path) for key, path in files.items()})
    with pytest.raises(ValueError, match=message):
        example_gen(dataset=dataset, hierarchy=files)


@pytest.mark.parametrize(
    ("name", "message"),
    [("pictuers", "dataset: 'pictuers' is not a TFDS data set"), ("mnist", "dataset: 'mnist' is not prepared in ")],
    ids=["unknown", "not prepared"],
)
def test_a_data_set_that_is_not_there_is_refused_when_the_pipeline_is_made(example_gen, dataset, name, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        example_gen(dataset=readers.make_reader({**dict(dataset), "dataset": name}))


def test_images_without_labels_are_a_target_only(tmp_path):
    (tmp_path / "1.png").touch()
    dataset = FolderReader(folder=str(tmp_path))
    assert components.TargetExampleGen(dataset=dataset)
    with pytest.raises(ValueError, match=r"^dataset: it has no splits"):
        components.SourceExampleGen(dataset=dataset)
