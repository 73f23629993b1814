"""The command line as a shell sees it: exit codes, one line an error, and what it costs to ask for help."""

import os
import pathlib
import subprocess
import sys

import pytest

import pipeline
from pipeline import workspace

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")


@pytest.fixture
def specialist(tmp_path):
    def specialist(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    return specialist


def test_help_names_the_commands_and_imports_nothing_heavy(specialist):
    done = specialist("--help")
    assert done.returncode == 0
    assert "run" in done.stdout and "predict" in done.stdout
    code = (
        "import sys; import pipeline.cli; print({'tensorflow', 'keras', 'tfx', 'numpy', 'pydantic'} & set(sys.modules))"
    )
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert imported.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.yaml"], "error: CONFIG: no file 'nowhere.yaml'"),
        (["run", "broken.yaml"], "error: CONFIG: broken.yaml is not YAML"),
        (["run", DEMO, "--set", "colour=red"], "unknown key 'colour'; allowed are name, seed"),
        (["run", DEMO, "--set", "backbone.name=resnet"], "backbone.name: 'resnet': must be one of compact_cnn"),
        (["run", DEMO, "--set", "targets.digits.arms=[magic]"], "targets.digits.arms.0: 'magic': input should be"),
        (["run", DEMO, "--set", "image.size=8"], "image.size: 8; compact_cnn needs at least 16"),
        (["run", DEMO, "--set", "resample.n=0"], "resample.n: 0: input should be greater than 0"),
        (["run", DEMO, "--workspace", "[1]"], "[1]' has a '[', which TFX would take for a pattern"),
        (["run", DEMO, "--workspace", "broken.yaml"], "broken.yaml' is a file, or in one; name a folder"),
        (["predict", ".", "broken.yaml"], "error: MODEL: '.' is not a SavedModel"),
    ],
    ids=["no-file", "no-yaml", "key", "backbone", "arm", "size", "sample", "pattern", "file", "model"],
)
def test_a_mistake_is_one_line_and_an_exit_code(specialist, tmp_path, arguments, message):
    (tmp_path / "broken.yaml").write_text("a: [1")
    done = specialist(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert sorted(os.listdir(tmp_path)) == ["broken.yaml"]  # nothing is begun


def test_verbose_shows_the_traceback(specialist):
    done = specialist("run", "nowhere.yaml", "--verbose")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "FileNotFoundError: CONFIG" in done.stderr


def test_an_unknown_dataset_is_one_line_too(specialist):
    done = specialist("run", DEMO, "--set", "source.dataset=printed_glyph", "--workspace", "here")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: dataset: 'printed_glyph' is not a TFDS data set; did you mean printed_glyphs?"
    ]


def test_a_second_run_leaves_the_workspace_of_the_first_alone(specialist, tmp_path):
    with workspace.locked(str(tmp_path / "here")):
        done = specialist("run", DEMO, "--workspace", "here")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: --workspace: another run is using {tmp_path}/here; wait for it, or name another\n"
    assert os.listdir(tmp_path / "here") == [".lock"]
