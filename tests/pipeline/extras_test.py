"""A machine without the extras `demo` and `emd`: image folders need neither, and what does says so in one line."""

import os
import pathlib
import subprocess
import sys

import pytest
import yaml

import pipeline

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
MISSING = ("matplotlib", "ot", "sklearn")  # TensorFlow Data Validation brings joblib itself


@pytest.fixture
def specialist(tmp_path):
    """Runs a command in a folder and a Python in which the extras cannot be imported."""
    startup = tmp_path / "startup"
    startup.mkdir()
    (startup / "sitecustomize.py").write_text(f"import sys; sys.modules.update(dict.fromkeys({MISSING}))\n")

    def specialist(*arguments: str) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(startup), *sys.path])
        return subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
        )

    return specialist


@pytest.fixture
def folders(tmp_path, scene) -> str:
    """The path of a configuration whose source and target are folders of images."""
    for side, labels, count in (("source", ("emu", "hen", "owl"), 40), ("target", ("one", "two"), 20)):
        for number, label in enumerate(labels):
            (tmp_path / side / label).mkdir(parents=True)
            for i in range(count):
                seed = 1000 * len(side + label) + 100 * number + i
                scene(seed, 24, 16).save(tmp_path / side / label / f"{i}.png")
    training = {"steps": 3, "batch_size": 8, "learning_rate": 0.01}
    splits = {"train": 0.6, "eval": 0.4}
    content = {
        "name": "folders",
        "image": {"size": 16, "channels": 3},
        "backbone": {"name": "compact_cnn"},
        "source": {"folder": "source", "splits": splits},
        "targets": {
            "words": {
                "data": {"folder": "target", "splits": splits},
                "arms": ["entire_source", "same_distribution"],
                "push": "same_distribution",
                "evaluation": {"minimum": 0},
            }
        },
        "classifier": training,
        "pretrain": training,
        "finetune": training,
        "resample": {"n": 30},
    }
    path = tmp_path / "folders.yaml"
    path.write_text(yaml.safe_dump(content))
    return path.name


def test_folders_are_read(specialist, folders):
    done = specialist("data", folders, "--no-timing")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(label in done.stdout for label in ("emu", "hen", "owl", "one", "two"))


@pytest.mark.slow
def test_a_run_on_folders_pushes_a_model(specialist, folders, tmp_path):
    done = specialist("run", folders)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("workspace/serving/words/[0-9]*"))) == 1


@pytest.mark.parametrize(
    ("config", "overrides", "message"),
    [
        (DEMO, ["source.data_dir=tfds"], "matplotlib: not installed; pip install 'specialist[demo]'"),
        (
            "folders.yaml",
            ["targets.words.arms=[emd_subset]", "targets.words.push=null"],
            "ot: not installed; pip install 'specialist[emd]'",
        ),
    ],
    ids=["demo", "emd"],
)
def test_what_needs_an_extra_ends_before_anything_runs(specialist, folders, tmp_path, config, overrides, message):
    done = specialist("run", config, *(part for override in overrides for part in ("--set", override)))
    assert (done.returncode, done.stderr) == (1, f"error: {message}\n")
    assert not (tmp_path / "workspace" / "artifacts").exists()
