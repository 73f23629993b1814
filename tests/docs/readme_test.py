"""The README's commands, run as they stand there, on a folder like ImageNet's and some photos."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import keras
import numpy as np
import PIL.Image
import pytest

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")

SMALL = [
    *("image.size=75", "backbone.options.width=0.1", "resample.n=30"),
    *(f"{recipe}.{key}" for recipe in ("classifier", "pretrain") for key in ("steps=2", "batch_size=8")),
    *("finetune.batch_size=8", "finetune.frozen_epochs=0.5"),
    "source.splits={train: train, eval: val}",
    "targets.photos.evaluation={minimum: 0.0, max_regression: 1.0}",
]


def config(name: str) -> str:
    """Returns the configuration of that name."""
    (text,) = re.findall(rf"```yaml config\n(name: {name}\n.*?)```", TEXT, re.DOTALL)
    return text


def commands(*of: str) -> list[list[str]]:
    """Returns the words of all commands with a word of `of`, such as a configuration, that run once and here."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines if "specialist" in line]
    here = [command[1:] for command in words if {*of} & {*command}]
    return [command for command in here if command[0] not in ("compare", "submit")]


def draw(path: pathlib.Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    spots = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    PIL.Image.fromarray(spots).resize((112, 84), PIL.Image.Resampling.BICUBIC).save(path, "JPEG")


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
    for label, wnid in enumerate(("n02123045", "n02084071", "n01503061")):
        for i in range(12 + 4 * label):
            draw(tmp_path / "imagenet" / "train" / wnid / f"{wnid}_{155 + i}.JPEG", 1000 * label + i)
        for i in range(4):
            draw(tmp_path / "imagenet" / "val" / wnid / f"{i}.JPEG", 1000 * label + 500 + i)
    for label, name in enumerate(("felt", "silk")):
        for i in range(20):
            draw(tmp_path / "photos" / name / f"{i}.jpg", 5000 + 1000 * label + i)
    (tmp_path / "my.yaml").write_text(config("my-pipeline"))
    return tmp_path


@pytest.mark.slow
def test_the_commands_run(folder):
    data = [f"source.folder={folder / 'imagenet'}", f"targets.photos.data.folder={folder / 'photos'}"]
    small = [word for override in (*SMALL, *data) for word in ("--set", override)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    said: dict[str, str] = {}
    for words in commands("my.yaml", "my-run"):
        # What the README overrides goes before.
        steps = ["--set", "finetune.steps=3"] if words[0] in ("data", "run") else []
        more = [*words[:1], *small, *steps, *words[1:]] if steps else words
        more = [word.replace("finetune.steps=1000", "finetune.steps=4") for word in more]
        command = [sys.executable, "-m", "pipeline.cli", *more]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        said[" ".join(words)] = done.stdout
    assert len(said) == 7
    # The second run had other steps to fine-tune by: it pushed another version.
    assert len(list(folder.glob("my-run/serving/photos/[0-9]*"))) == 2
    assert (folder / "labels.csv").read_text(encoding="utf-8").count("\n") == 1 + 3
    (explained,) = [text for command, text in said.items() if "--example" in command]
    assert explained.startswith("train/n02123045/n02123045_155.JPEG: n02123045: taken ")


@pytest.mark.slow
def test_the_answer_in_two_minutes(tmp_path):
    network = keras.applications.MobileNetV2(weights=None)
    network.save_weights(tmp_path / "network.weights.h5")
    (tmp_path / "network.weights.h5").rename(tmp_path / "mobilenet_v2.h5")
    classes = {str(i): [f"n{i:08d}", f"thing_{i}"] for i in range(1000)}
    (tmp_path / "imagenet_class_index.json").write_text(json.dumps(classes))
    for i in range(3):
        draw(tmp_path / "pets" / f"{i}.jpg", i)
    (tmp_path / "which.yaml").write_text(config("which-labels"))
    [words] = commands("which.yaml")
    command = [sys.executable, "-m", "pipeline.cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "source labels that matter most (of 1,000" in done.stdout
    assert "P_t is estimated from 3 image(s)" in done.stdout
