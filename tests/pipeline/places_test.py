"""Whole runs in a workspace that is copied, moved and cleaned, as a shell sees them."""

import pathlib
import shutil
import subprocess
import sys

import pytest

import pipeline

pytestmark = pytest.mark.slow

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
OVERRIDES = [
    "source.splits={train: 'train[:3%]', eval: 'eval[:4%]'}",
    *(f"{training}.steps=4" for training in ("classifier", "pretrain", "finetune")),
    *(f"{training}.batch_size=32" for training in ("classifier", "pretrain", "finetune")),
    "resample.n=300",
    "targets.digits.arms=[same_distribution]",
    "targets.digits.evaluation.minimum=0",
    "targets.digits.evaluation.max_regression=1",
]
NOTHING = "nothing has changed: no executor ran"


def specialist(*arguments: object) -> str:
    done = subprocess.run([sys.executable, "-m", "pipeline.cli", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(workspace: pathlib.Path, *overrides: str) -> str:
    sets = [part for override in [*OVERRIDES, *overrides] for part in ("--set", override)]
    return specialist("run", DEMO, "--workspace", workspace, *sets)


def size(folder: pathlib.Path) -> int:
    # The lock has the number of the process, which is longer at times.
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> pathlib.Path:
    workspace = tmp_path_factory.mktemp("runs") / "workspace"
    assert "executors ran, 0 results were reused" in run(workspace)
    return workspace


def test_a_copy_runs_nothing_and_answers_also_without_the_original(workspace, tmp_path):
    copy, moved = tmp_path / "copy ü", tmp_path / "moved"
    original = shutil.copytree(workspace, tmp_path / "original")
    prior = specialist("prior", original)
    shutil.copytree(original, copy)
    assert NOTHING in run(copy)
    shutil.rmtree(original)
    assert NOTHING in run(copy)
    assert specialist("prior", copy) == prior
    copy.rename(moved)
    assert specialist("plan", moved).startswith("matcher ")
    assert NOTHING in run(moved)
    assert specialist("prior", moved) == prior


def test_clean_keeps_all_of_the_last_run(workspace, tmp_path):
    workspace = shutil.copytree(workspace, tmp_path / "workspace")
    assert NOTHING not in run(workspace, "resample.seed=3")
    assert NOTHING not in run(workspace, "finetune.steps=6")
    versions = set((workspace / "serving" / "digits").iterdir())
    before = size(workspace)
    listed = specialist("clean", workspace, "--keep", "1", "--dry-run")
    assert size(workspace) == before
    removed = specialist("clean", workspace, "--keep", "1")
    assert removed.replace("removed", "would remove") == listed
    print(f"{before:,} bytes before, {size(workspace):,} after")
    assert size(workspace) < before - 1_000_000
    assert NOTHING in run(workspace, "finetune.steps=6")
    assert set((workspace / "serving" / "digits").iterdir()) == versions
    again = run(workspace, "resample.seed=3")  # all of which was removed
    assert "digits-same-distribution-specialist       done" in again and "source-classifier" in again
