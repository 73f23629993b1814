"""The environment that `make setup` makes: when, and with what. The commands of the machine are made up."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
LANES = {
    "tfx-1.16": ("3.10", "2_28"),
    "tfx-1.21-py311": ("3.11", "2_39"),
    "tfx-1.21-py312": ("3.12", "2_39"),
    "tfx-1.21-py313": ("3.13", "2_39"),
}


@pytest.fixture
def setup(tmp_path):
    """Returns a function that runs the script in a copy of the tree, with a Python that only notes what it is told."""
    tree, commands = tmp_path / "tree", tmp_path / "bin"
    shutil.copytree(ROOT / "constraints", tree / "constraints")
    shutil.copy(ROOT / "setup.py", tree)
    commands.mkdir()
    calls = tmp_path / "calls"
    calls.touch()

    def add(name: str, script: str) -> None:
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)

    note = f'echo "$@" >>{calls}'
    add("getconf", "echo glibc 2.36")
    # `python -m venv FOLDER` makes an environment whose Python and uv do the same.
    add(
        "python3.10",
        f'{note}\ncase "$*" in\n  "-c "*) echo 3.10 ;;\n'
        f'  "-m venv "*) mkdir -p "$3/bin"; for name in uv python; do cp {commands}/note "$3/bin/$name"; done ;;\nesac',
    )
    add("note", note)

    def setup(**variables: str):
        before = len(calls.read_text().splitlines())
        result = subprocess.run(
            ["sh", "constraints/setup.sh"],
            cwd=tree,
            env={"PATH": f"{commands}:/usr/bin:/bin", **variables},
            capture_output=True,
            text=True,
        )
        made = [line for line in calls.read_text().splitlines()[before:] if "pip" in line or "venv" in line]
        return result, made

    return setup


def test_it_is_made_once(setup):
    result, calls = setup()
    assert result.stdout == "tfx-1.16 with Python 3.10 in .venv: installing\n", result.stderr
    assert [line.split(" --")[0] for line in calls] == ["-m venv .venv", "-m pip install", "pip install", "pip install"]
    assert calls[2].endswith("--compile-bytecode --requirement constraints/tfx-1.16.txt")
    result, calls = setup()
    assert result.stdout == "tfx-1.16 with Python 3.10 in .venv\n" and not calls


def test_what_was_pinned_anew_is_installed_into_it(setup, tmp_path):
    setup()
    with open(tmp_path / "tree" / "constraints" / "tfx-1.16.txt", "a") as pins:
        pins.write("# more\n")
    result, calls = setup()
    assert result.stdout.endswith("installing\n")
    assert [line.split(" --")[0] for line in calls] == ["pip install", "pip install"]


def test_an_interrupted_installation_starts_again(setup, tmp_path):
    setup()
    (tmp_path / "tree" / ".venv" / ".installed").unlink()
    _, calls = setup()
    assert calls[0] == "-m venv .venv"


def test_cuda_is_added_to_what_is_pinned(setup):
    setup()
    result, calls = setup(ACCELERATOR="cuda")
    assert result.stdout == "tfx-1.16 with Python 3.10 and cuda in .venv: installing\n"
    pins = "constraints/tfx-1.16.txt"
    assert calls[0].endswith(f"--requirement {pins} --constraint {pins} tensorflow[and-cuda]")
    result, calls = setup()
    assert result.stdout == "tfx-1.16 with Python 3.10 and cuda in .venv\n" and not calls


def test_only_what_some_extras_need(setup):
    result, calls = setup(EXTRAS="demo,deploy")
    assert result.returncode == 0, result.stderr
    pins = "constraints/tfx-1.16.txt"
    assert [line.split(" --")[0] for line in calls] == ["-m venv .venv", "-m pip install", "pip install"]
    assert calls[2].endswith(f"--constraint {pins} --requirement setup.py --extra demo --extra deploy")
    _, calls = setup()  # all, and this project
    assert [line.split(" --")[-1] for line in calls] == [f"requirement {pins}", "editable ."]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ACCELERATOR": "tpu"}, "error: ACCELERATOR: no release of tensorflow-tpu installs with TFX"),
        ({"ACCELERATOR": "rocm"}, "error: ACCELERATOR: rocm is not one of cuda, tpu"),
        ({"LANE": "tfx-1.21"}, "error: LANE: tfx-1.21 needs glibc 2.39 or newer"),
    ],
    ids=["no TPU", "no such accelerator", "no such lane"],
)
def test_mistakes(setup, tmp_path, variables, message):
    result, calls = setup(**variables)
    assert result.returncode == 1 and not calls
    assert result.stderr.startswith(message) and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "tree" / ".venv").exists()


@pytest.mark.slow  # it asks the package registry
@pytest.mark.parametrize("pins", LANES)
def test_the_cuda_libraries_go_with_what_is_pinned(pins):
    version, glibc = LANES[pins]
    result = subprocess.run(
        [
            *(str(pathlib.Path(sys.executable).with_name("uv")), "pip", "compile", "-", "--no-header", "--no-annotate"),
            *("--python-version", version, "--python-platform", f"x86_64-manylinux_{glibc}"),
            *("--constraint", str(ROOT / "constraints" / f"{pins}.txt")),
        ],
        input="tensorflow[and-cuda]\n",
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split("==") for line in result.stdout.split())
    pinned = (ROOT / "constraints" / f"{pins}.txt").read_text()
    assert f"\ntensorflow=={found['tensorflow']}\n" in pinned
    assert {"nvidia-cudnn-cu12", "nvidia-nccl-cu12", "nvidia-cublas-cu12"} <= found.keys()
