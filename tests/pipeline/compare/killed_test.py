"""A real comparison that is killed half-way, and repeated."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

import pipeline
from pipeline.compare import rows, store

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
COMMAND = [
    *(sys.executable, "-m", "pipeline.cli", "compare", DEMO, "--seeds", "2"),
    *("--arms", "entire_source,same_distribution,random_init,warm_start"),
    *("--set", "source.splits={train: 'train[:5%]', eval: 'eval[:5%]'}", "--set", "resample.n=500"),
    *("--set", "classifier.steps=10", "--set", "pretrain.steps=5", "--set", "finetune.steps=5"),
]

pytestmark = pytest.mark.slow


def test_no_finished_cell_is_trained_again(tmp_path):
    folder = pathlib.Path(store.folder_of(str(tmp_path / "workspace"), "demo"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*COMMAND, "--workspace", str(tmp_path / "workspace")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        while len(finished := list(folder.glob("cells/*/*/*.json"))) < 3:
            assert process.poll() is None
            time.sleep(0.2)
        process.kill()
    finished = list(folder.glob("cells/*/*/*.json"))
    written = {path: path.stat().st_mtime_ns for path in finished}
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert f"8 cells, {len(finished)} of them finished" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in finished} == written
    assert again.stdout.count("finetune  ") >= 8 - len(finished)
    results = rows.read(folder / rows.FILE_NAME)
    assert len(results) == 8 and all(result.seconds > 0 for result in results)
    assert (folder / "comparison.md").exists()
    last = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "8 cells, 8 of them finished\n" in last.stdout and "finetune" not in last.stdout.partition("digits:")[0]
