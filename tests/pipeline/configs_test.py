"""The configurations that come with the package: complete, and such as their headers say."""

import json
import pathlib
import re
import shlex

import pytest
import yaml

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
    lines = [line.removeprefix("#") for line in header(path).splitlines() if "--set" in line]
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
    assert set(settings.targets) == {"pets", "cars", "food", "cifar10"}
    if "amoebanet" in path.stem:
        assert settings.backbone.options == {
            "normal_cells": 18,
            "filters": 512,
            "drop_path": 0.3,
            "auxiliary": True,
        }


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_the_targets_to_be_enabled_are_like_the_others(path):
    text = path.read_text(encoding="utf-8")
    before, block = text.split("how to make their manifests.\n")
    enabled = f"{before}\n" + re.sub(r"^  # ", "  ", block, flags=re.MULTILINE)
    targets = yaml.safe_load(enabled)["targets"]
    assert list(targets)[-2:] == ["birdsnap", "aircraft"]
    for name in ("birdsnap", "aircraft"):
        data = targets[name].pop("data")
        assert data["manifest"] == f"data/{name}/manifest.csv"
        assert (set(data["splits"]), data["split_key"]) == ({"train", "eval", "test"}, "split")
        config.Target.model_validate({**targets[name], "data": targets["pets"]["data"]})


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
@pytest.mark.parametrize("form", ["whole", "smaller"])
def test_the_pipeline_is_made(mocked_tfds, tmp_path, path, form):
    splits = {"oxford_iiit_pet": ("train", "test"), "cars196": ("train", "test"), "cifar10": ("train", "test")}
    splits |= {"food101": ("train", "validation")}
    source = "open_images_v4/200k" if "open_images" in path.stem else "imagenet2012"
    for name, found in {**splits, source: ("train", "validation", "test")}.items():
        mocked_tfds(name, *found)
    overrides = smaller(path) if form == "smaller" else []
    if "open_images" in path.stem:
        kinds = {"/m/0jbk": "Animal", "/m/07yv9": "Vehicle", "/m/02wbm": "Food"}
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
