"""Which stack lane and Python a machine gets: the real script, with the commands of a machine that is made up."""

import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "constraints" / "choose_lane.sh"
TOOLS = ("sh", "cut", "sed", "mktemp", "rm", "env", "readlink")
OLD, NEW = "2.36", "2.39"


@pytest.fixture
def machine(tmp_path):
    """Returns a function that makes a machine of a glibc and of commands, and runs the script on it."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for tool in TOOLS:
        (commands / tool).symlink_to(shutil.which(tool))

    def add(name: str, script: str) -> None:
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)

    def choose(glibc: str, pythons: dict[str, str], *, uv: str | None = None, compiler: bool = True, **variables: str):
        add("getconf", f"echo glibc {glibc}")
        for name, version in pythons.items():
            add(name, f"echo {version}" if version else "exit 127")  # as a shim of no version
        if uv is not None:
            add("uv", uv)
        if compiler:
            add("c++", "true")
        return subprocess.run(
            [str(commands / "sh"), str(SCRIPT)],
            env={"PATH": str(commands), "HOME": str(tmp_path), **variables},
            capture_output=True,
            text=True,
        )

    return choose


def words(result) -> list[str]:
    assert result.returncode == 0, result.stderr
    lane, version, python = result.stdout.split()
    return [lane, version, os.path.basename(python)]


@pytest.mark.parametrize(
    ("glibc", "pythons", "variables", "chosen"),
    [
        (OLD, {"python3.10": "3.10", "python3.12": "3.12"}, {}, ["tfx-1.16", "3.10", "python3.10"]),
        (NEW, {"python3.10": "3.10", "python3.12": "3.12"}, {}, ["tfx-1.21", "3.12", "python3.12"]),
        ("2.41", {"python3": "3.13"}, {}, ["tfx-1.21", "3.13", "python3"]),
        ("3.0", {"python3": "3.11"}, {}, ["tfx-1.21", "3.11", "python3"]),
        ("2.4", {"python3": "3.10", "python3.11": "3.11"}, {}, ["tfx-1.16", "3.10", "python3"]),
        (NEW, {"python3": "3.14", "python3.10": "3.10"}, {}, ["tfx-1.16", "3.10", "python3.10"]),
        (NEW, {"python3.12": "", "python3.11": "3.11"}, {}, ["tfx-1.21", "3.11", "python3.11"]),
        (NEW, {"python3.12": "3.12", "python3.10": "3.10"}, {"LANE": "tfx-1.16"}, ["tfx-1.16", "3.10", "python3.10"]),
        (NEW, {"python3.12": "3.12", "mine": "3.11"}, {"PYTHON": "mine"}, ["tfx-1.21", "3.11", "mine"]),
        (NEW, {"python3.12": "3.12", "mine": "3.10"}, {"PYTHON": "mine"}, ["tfx-1.16", "3.10", "mine"]),
    ],
    ids=[
        "an older glibc",
        "a newer glibc",
        "the system's Python",
        "a glibc of the next major version",
        "2.4 is older than 2.39",
        "Python is too new",
        "a shim of no version",
        "LANE",
        "PYTHON",
        "PYTHON decides about the lane",
    ],
)
def test_the_lane(machine, glibc, pythons, variables, chosen):
    assert words(machine(glibc, pythons, **variables)) == chosen


def test_no_compiler_for_the_newest_python(machine):
    pythons = {"python3.13": "3.13", "python3.12": "3.12"}
    assert words(machine(NEW, pythons, compiler=False)) == ["tfx-1.21", "3.12", "python3.12"]
    result = machine(NEW, pythons, compiler=False, PYTHON="python3.13")
    assert result.returncode == 1 and "Python 3.13 needs a C++ compiler" in result.stderr
    assert words(machine(NEW, pythons)) == ["tfx-1.21", "3.13", "python3.13"]


@pytest.mark.parametrize(
    ("glibc", "pythons", "variables", "message"),
    [
        (NEW, {}, {"LANE": "tfx-2"}, "LANE: tfx-2 is not one of tfx-1.16, tfx-1.21"),
        (OLD, {"python3.12": "3.12"}, {"LANE": "tfx-1.21"}, "LANE: tfx-1.21 needs glibc 2.39 or newer"),
        (OLD, {}, {"PYTHON": "nowhere"}, "PYTHON: nowhere does not run"),
        (OLD, {"mine": "3.14"}, {"PYTHON": "mine"}, "mine is Python 3.14; usable are 3.10 and 3.13 3.12 3.11"),
        (OLD, {"mine": "3.12"}, {"PYTHON": "mine"}, "Python 3.12 needs glibc 2.39 or newer, and this system has 2.36"),
        (NEW, {"mine": "3.12"}, {"PYTHON": "mine", "LANE": "tfx-1.16"}, "which is for tfx-1.21, not for LANE=tfx-1.16"),
        (OLD, {"python3": "3.12"}, {"OFFLINE": "1"}, "no usable Python was found for glibc 2.36: install one of 3.10,"),
        (
            NEW,
            {},
            {"OFFLINE": "1"},
            "no usable Python was found for glibc 2.39: install one of 3.13, 3.12, 3.11, 3.10,",
        ),
        (OLD, {"python3": "3.12"}, {}, "uv is not there and cannot be installed"),
    ],
    ids=[
        "unknown lane",
        "lane without its glibc",
        "no such Python",
        "a Python of no lane",
        "a Python without its glibc",
        "PYTHON against LANE",
        "offline, old",
        "offline, new",
        "no uv",
    ],
)
def test_mistakes(machine, glibc, pythons, variables, message):
    result = machine(glibc, pythons, **variables)
    assert result.returncode == 1 and result.stdout == ""
    *notes, error = result.stderr.splitlines()
    assert error.startswith("error: ") and message in error
    assert len(notes) == (1 if message.startswith("uv is not") else 0)


@pytest.mark.parametrize(("glibc", "version", "lane"), [(OLD, "3.10", "tfx-1.16"), (NEW, "3.12", "tfx-1.21")])
def test_uv_downloads_a_python(machine, tmp_path, glibc, version, lane):
    downloaded = tmp_path / "managed" / "python"
    downloaded.parent.mkdir()
    uv = f"""
echo "$*" >>{tmp_path}/calls
case "$*" in
  "python install --quiet {version}") echo "#!/bin/sh" >{downloaded}; exit ;;
  *"find"*"{version}") [ -e {downloaded} ] && echo {downloaded} ;;
esac"""
    result = machine(glibc, {"python3": "3.14"}, uv=uv)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [lane, version, str(downloaded)]
    assert len(result.stderr.splitlines()) == 1 and f"uv downloads Python {version}" in result.stderr


@pytest.mark.skipif(sys.version_info[:2] != (3, 10), reason="the mirror's Python starts this one, and has to be 3.10")
def test_the_real_uv_downloads_from_a_mirror(machine, tmp_path):
    root, name = tmp_path / "python", "cpython-3.10.13+20240107-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
    (root / "bin").mkdir(parents=True)
    (root / "lib" / "python3.10").mkdir(parents=True)
    shutil.copy(importlib.util.find_spec(sysconfig._get_sysconfigdata_name()).origin, root / "lib" / "python3.10")
    (root / "bin" / "python3.10").write_text(f'#!/bin/sh\nexec {os.path.realpath(sys.executable)} "$@"\n')
    (root / "bin" / "python3.10").chmod(0o755)
    archive = tmp_path / "mirror" / "20240107" / name
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root, "python")
    download = {
        **{"name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "linux", "libc": "gnu"},
        **{"major": 3, "minor": 10, "patch": 13, "prerelease": "", "variant": None, "build": "20240107"},
        "url": f"https://github.com/astral-sh/python-build-standalone/releases/download/20240107/{name}",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
    }
    (tmp_path / "list.json").write_text(json.dumps({"cpython-3.10.13-linux-x86_64-gnu": download}))
    result = machine(
        OLD,
        {},
        uv=f'exec {pathlib.Path(sys.executable).with_name("uv")} "$@"',
        UV_PYTHON_INSTALL_MIRROR=f"file://{tmp_path}/mirror",
        UV_PYTHON_DOWNLOADS_JSON_URL=str(tmp_path / "list.json"),
        UV_PYTHON_INSTALL_DIR=str(tmp_path / "managed"),
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[:2] == ["tfx-1.16", "3.10"]
    assert list((tmp_path / "managed").glob("cpython-3.10.13-*/bin/python3.10"))


def test_a_python_that_uv_has(machine, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 3.11\n")
    python.chmod(0o755)
    result = machine(NEW, {"python3.10": "3.10"}, uv=f'case "$*" in *find*" 3.11") echo {python} ;; *) exit 1 ;; esac')
    assert result.stdout.split() == ["tfx-1.21", "3.11", str(python)]


def test_an_active_environment_is_not_built_on(machine, tmp_path):
    link = tmp_path / "environment" / "python"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "bin" / "python3.10")
    assert words(machine(OLD, {"python3.10": "3.10"}, PYTHON=str(link)))[2] == "python3.10"


def test_no_gnu_c_library(machine):
    result = machine(OLD, {}, PYTHON="unused")
    assert result.returncode == 1
    (pathlib.Path(result.args[0]).parent / "getconf").unlink()
    again = subprocess.run(result.args, env={"PATH": str(pathlib.Path(result.args[0]).parent)}, capture_output=True)
    assert again.returncode == 1 and again.stderr.startswith(b"error: this system has no GNU C library")
