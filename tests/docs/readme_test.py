"""The README's commands, run as they stand there, on a folder like ImageNet's and some photos."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

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


def config() -> str:
    (text,) = re.findall(r"```yaml config\n(.*?)```", TEXT, re.DOTALL)
    return text


def commands() -> list[list[str]]:
    """Returns the words of all commands that look at, or run, the configuration of the README, once and here."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines if "specialist" in line]
    here = [command[1:] for command in words if {"my.yaml", "my-run"} & set(command)]
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
    (tmp_path / "my.yaml").write_text(config())
    return tmp_path


@pytest.mark.slow
def test_the_commands_run(folder):
    data = [f"source.folder={folder / 'imagenet'}", f"targets.photos.data.folder={folder / 'photos'}"]
    small = [word for override in (*SMALL, *data) for word in ("--set", override)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    said: dict[str, str] = {}
    for words in commands():
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
