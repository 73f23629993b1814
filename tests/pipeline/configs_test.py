"""The configurations that come with the package: complete, and such as their headers say."""

import json
import pathlib
import shlex

import pytest

import pipeline
from pipeline import config
from pipeline import pipeline as pipeline_module

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


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_the_header_has_the_command_and_a_smaller_form_that_is_smaller(path):
    assert f"specialist run pipeline/configs/{path.name}" in header(path)
    assert "Expected" in header(path)
    whole, small = config.load(str(path)), config.load(str(path), smaller(path))
    assert whole.name == path.stem.replace("_", "-")
    assert smaller(path)
    for training in ("classifier", "pretrain", "finetune"):
        assert getattr(small, training).steps <= 30 < getattr(whole, training).steps
    assert small.resample.n <= 2000 < whole.resample.n


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_the_papers_recipes(path):
    settings = config.load(str(path))
    steps, batch = (250_000, 2048) if "amoebanet" in path.stem else (2_000_000, 1024)
    for recipe in (settings.classifier, settings.pretrain):
        assert (recipe.steps, recipe.batch_size) == (steps, batch)
    assert (settings.finetune.steps, settings.finetune.batch_size) == (20_000, 256)
    assert (settings.prior.temperature, settings.resample.n, settings.image.size) == (2.0, 2_000_000, 299)
    assert list(settings.targets) == ["pets", "cars", "food", "cifar10", "birdsnap", "aircraft"]
    arms = [arm for target in settings.targets.values() for arm in target.arms if arm != "entire_source"]
    count = {14: "fourteen", 20: "twenty"}[2 + len(arms)]
    words = " ".join(header(path).replace("#", "").split())
    assert f"{count} pre-trainings of {steps:,} steps of {batch:,} images" in words
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
        kinds = {
            "/m/0jbk": "Animal",
            "/m/07yv9": "Vehicle",
            "/m/02wbm": "Food",
            "/m/015p6": "Bird",
            "/m/0k5j": "Aircraft",
        }
        tree = {"LabelName": "/m/0bl9f", "Subcategory": [{"LabelName": name} for name in kinds]}
        (tmp_path / "hierarchy.json").write_text(json.dumps(tree))
        (tmp_path / "titles.csv").write_text("".join(f"{name},{title}\n" for name, title in kinds.items()))
        overrides.append(f"source.hierarchy={{file: {tmp_path}/hierarchy.json, titles: {tmp_path}/titles.csv}}")
    settings = config.load(str(path), overrides)
    nodes = {node.id for node in pipeline_module.create_pipeline(settings, str(tmp_path / "workspace")).components}
    arms = {f"{name}-{arm.replace('_', '-')}" for name, target in settings.targets.items() for arm in target.arms}
    assert {f"{arm}-finetune" for arm in arms} | {f"{name}-pusher" for name in settings.targets} <= nodes
    assert {node for node in nodes if node.startswith("source-") and "specialist" in node} == {
        "source-entire-source-specialist"
    }
