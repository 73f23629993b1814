"""The configurations that come with the package: complete, and run as the commands in their headers say."""

import json
import pathlib
import shlex
from unittest import mock

import pytest
import tensorflow_datasets as tfds

import pipeline
from pipeline import pipeline as pipeline_module
from pipeline.config.load import load
from pipeline.config.prior import Prior
from pipeline.place import Place

FOLDER = pathlib.Path(pipeline.__file__).parent / "configs"
ALL = sorted(FOLDER.glob("*.yaml"))
PUBLIC = [path for path in ALL if path.stem != "demo"]


def header(path: pathlib.Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines[: lines.index(next(line for line in lines if line[:1] != "#"))])


def smaller(path: pathlib.Path) -> list[str]:
    """Returns the overrides of the smaller form in the header."""
    lines = [line.removeprefix("#") for line in header(path).split("# Smaller")[1].splitlines() if "--set" in line]
    return [word for word in shlex.split(" ".join(lines)) if word != "--set"]


KINDS = {"/m/0jbk": "Animal", "/m/07yv9": "Vehicle", "/m/02wbm": "Food", "/m/015p6": "Bird", "/m/0k5j": "Aircraft"}


def hierarchy(folder: pathlib.Path) -> str:
    """Writes a hierarchy and its titles as Open Images', and returns the override that names them."""
    tree = {"LabelName": "/m/0bl9f", "Subcategory": [{"LabelName": name} for name in KINDS]}
    (folder / "hierarchy.json").write_text(json.dumps(tree))
    (folder / "titles.csv").write_text("".join(f"{name},{title}\n" for name, title in KINDS.items()))
    return f"source.hierarchy={{file: {folder}/hierarchy.json, titles: {folder}/titles.csv}}"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_the_header_has_the_command_and_a_smaller_form_that_is_smaller(path):
    (command,) = [words for line in header(path).splitlines() if (words := line.split())[1:3] == ["specialist", "run"]]
    assert FOLDER.parents[1] / command[3] == path
    whole, small = load(str(path)), load(str(path), smaller(path))
    assert whole.name == path.stem.replace("_", "-")
    assert smaller(path)
    for training in ("classifier", "pretrain", "finetune"):
        assert getattr(small, training).steps <= 30 < getattr(whole, training).steps
    assert small.resample.n <= 2000 < whole.resample.n


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_the_papers_recipes(path):
    settings = load(str(path))
    steps, batch = (250_000, 2048) if "amoebanet" in path.stem else (2_000_000, 1024)
    for recipe in (settings.classifier, settings.pretrain):
        assert (recipe.steps, recipe.batch_size) == (steps, batch)
    assert (settings.finetune.steps, settings.finetune.batch_size) == (20_000, 256)
    assert settings.image.size == (331 if "amoebanet" in path.stem else 299)
    assert settings.resample.n == (1_000_000 if "open_images" in path.stem else 2_000_000)
    assert settings.prior == Prior()
    assert list(settings.targets) == ["pets", "cars", "food", "cifar10", "birdsnap", "aircraft"]
    if "amoebanet" in path.stem:
        assert settings.backbone.options == {
            "normal_cells": 18,
            "filters": 512,
            "drop_path": 0.3,
            "auxiliary": True,
        }


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
@pytest.mark.parametrize("form", ["whole", "smaller"])
def test_the_pipeline_is_made(mocked_tfds, tmp_path, monkeypatch, path, form):
    monkeypatch.chdir(tmp_path)
    for name in ("birdsnap", "aircraft"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        (folder / "manifest.csv").write_text("path,label,split\n1.jpg,a,train\n2.jpg,a,val\n3.jpg,a,test\n")
    splits = {"oxford_iiit_pet": ("train", "test"), "cars196": ("train", "test"), "cifar10": ("train", "test")}
    splits |= {"food101": ("train", "validation")}
    source = "open_images_v4/200k" if "open_images" in path.stem else "imagenet2012"
    for name, found in {**splits, source: ("train", "validation", "test")}.items():
        mocked_tfds(name, *found)
    overrides = smaller(path) if form == "smaller" else []
    if "open_images" in path.stem:
        overrides.append(hierarchy(tmp_path))
    settings = load(str(path), overrides)
    nodes = {
        node.id
        for node in pipeline_module.create_pipeline(settings, Place.local(str(tmp_path / "workspace"))).components
    }
    arms = {f"{name}-{arm.replace('_', '-')}" for name, target in settings.targets.items() for arm in target.arms}
    assert {f"{arm}-finetune" for arm in arms} | {f"{name}-pusher" for name in settings.targets} <= nodes
    pretrainings = {node for node in nodes if node == "source-classifier" or node.endswith("-specialist")}
    # The classifier, entire_source, with Open Images uniform_subsample, and what each target has besides.
    shared, own = (3, 2) if "open_images" in path.stem else (2, 1)
    assert len(pretrainings) == shared + own * len(settings.targets)
    if form == "whole":
        said = {"eight": 8, "fifteen": 15}
        (word,) = (word for word in said if f"{word} pre-trainings" in header(path))
        assert said[word] == len(pretrainings)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, scene, encoded) -> str:
    """The folder in which both sources and one target are prepared, each in the form that TFDS gives it."""
    root = tmp_path_factory.mktemp("tfds")

    def image(seed: int):
        return encoded(scene(seed), "JPEG")

    def prepare(name: str, sizes: dict[str, int], row) -> None:
        builder = tfds.builder(name, data_dir=root)
        rows = {split: [(i, row(builder, split, i)) for i in range(size)] for split, size in sizes.items()}
        with mock.patch.object(type(builder), "_split_generators", lambda builder, manager: rows):
            builder.download_and_prepare()

    def imagenet(builder, split: str, i: int) -> dict:
        return {"image": image(i), "label": i % 1000, "file_name": f"{split}-{i}.JPEG"}

    def pets(builder, split: str, i: int) -> dict:
        return {
            "image": image(20_000 + i + 1000 * (split == "test")),
            "label": i % 37,
            "species": i % 2,
            "file_name": f"{split}-{i}.jpg",
            "segmentation_mask": encoded(scene(i).convert("L")),
            "head_bbox": tfds.features.BBox(0.1, 0.1, 0.5, 0.5),
        }

    def open_images(builder, split: str, i: int) -> dict:
        names = builder.info.features["objects_trainable"]["label"].names
        known = [name for name in KINDS if name in names]
        # The last one was looked for and not found, and the one before nobody is sure of.
        labels = dict(zip([known[i % len(known)], *names[i % 7 :: 1500]], (10, 8, 6, 5, 0), strict=False))
        objects = [{"label": name, "source": "verification", "confidence": value} for name, value in labels.items()]
        filename = f"{split}-{i}.jpg"
        seed = 10_000 + i + 5000 * (split == "validation")
        return {
            "image": image(seed),
            "image/filename": filename,
            "objects": [],
            "objects_trainable": objects,
            "bobjects": [],
        }

    prepare("imagenet2012", {"train": 2500}, imagenet)
    prepare("open_images_v4/200k", {"train": 2000, "validation": 500}, open_images)
    prepare("oxford_iiit_pet", {"train": 200, "test": 60}, pets)
    return str(root)


@pytest.mark.slow
@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_the_smaller_form_runs(run, prepared, tmp_path, path):
    overrides = [*smaller(path), f"source.data_dir={prepared}", f"targets.pets.data.data_dir={prepared}"]
    if "open_images" in path.stem:
        overrides.append(hierarchy(tmp_path))
    workspace = tmp_path / "workspace"
    results, summary = run(str(path), overrides, workspace)
    assert {result.state.value for result in results.values()} == {"done", "resolved"}
    assert summary.anomalies == []
    assert summary.excluded == {"train": (2000, 0), "eval": (500, 0)}
    (pets,) = summary.targets.values()
    # Of Open Images' five labels an image, three are sure enough.
    assert pets.prior.counts.sum() == (6000 if "open_images" in path.stem else 2000)
    assert {arm: split for arm, (split, _) in pets.arms.items()} == dict.fromkeys(
        load(str(path)).targets["pets"].arms, "test"
    )
    assert {arm: header["n"] for arm, header in pets.plans.items()} == dict.fromkeys(
        pets.arms.keys() - {"entire_source"}, 500
    )
    (version,) = pathlib.Path(workspace).glob("serving/pets/[0-9]*")
    assert (pets.pushed, pets.verdict) == (str(version), "")
