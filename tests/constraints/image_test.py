"""The container image: what its build gets, and that Dockerfile, constraints/ and setup.py agree. Nothing is built."""

import fnmatch
import importlib.metadata
import itertools
import pathlib
import re
import subprocess
import sys

import pytest
from docker.utils import build

from components.code_version import hash_packages

ROOT = pathlib.Path(__file__).parents[2]
PACKAGES = {"components", "pipeline", "schemas", "trainer"}
LANES = {path.stem for path in (ROOT / "constraints").glob("tfx-*.in")}


class Stage:
    """A stage of Dockerfile: the image that it begins with, and [instruction, argument] of each line."""

    def __init__(self, base: str):
        self.base = base
        self.lines: list[tuple[str, str]] = []

    def arguments(self, instruction: str) -> list[str]:
        return [argument for found, argument in self.lines if found == instruction]


def read_stages() -> tuple[list[str], dict[str, Stage]]:
    """Returns what stands before the first stage, and the stages by name; the last one, without a name, is ''."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", "")
    before, stages = [], {}
    for line in filter(None, text.splitlines()):
        instruction, _, argument = line.partition(" ")
        if instruction == "FROM":
            base, _, name = argument.partition(" AS ")
            assert name not in stages
            stage = stages[name] = Stage(base)
        elif stages:
            stage.lines.append((instruction, argument))
        else:
            before.append(line)
    return before, stages


BEFORE, STAGES = read_stages()


def chain(name: str) -> list[Stage]:
    """Returns a stage and those that it begins with, the first one last."""
    stage = STAGES[name]
    return [stage, *(chain(stage.base) if stage.base in STAGES else [])]


def context(tree: pathlib.Path) -> set[str]:
    """Returns the files that a builder gets of a tree, but for those that say what it gets."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    return {path for path in build.exclude_paths(str(tree), patterns) if (tree / path).is_file()} - {
        "Dockerfile",
        ".dockerignore",
    }


def sources() -> set[str]:
    """Returns what is copied from the context, for each lane."""
    lines = [line for stage in STAGES.values() for line in stage.arguments("COPY") if not line.startswith("--from")]
    return {source.replace("${LANE}", lane) for line in lines for source in line.split()[:-1] for lane in LANES}


def takes(source: str, path: str) -> bool:
    return path.startswith(f"{source}/") or fnmatch.fnmatchcase(path, source)


def test_the_context_of_a_tree(tmp_path):
    needed = [
        *("LICENSE", "README.md", "pyproject.toml", "setup.py", "constraints/tfx-1.16.txt", "constraints/setup.sh"),
        *(
            "components/module.py",
            "components/folder/module.py",
            "pipeline/configs/demo.yaml",
            "schemas/a/schema.pbtxt",
        ),
    ]
    other = [
        *(
            ".git/config",
            ".venv/bin/python",
            ".venv-other/bin/python",
            ".github/workflows/ci.yml",
            "build/lib/module.py",
        ),
        *("CHANGELOG.md", "Makefile", "tests/module_test.py", "docs/page.md", "benchmarks/run.py", "workspace/log"),
        *(
            "specialist.egg-info/PKG-INFO",
            "constraints/tfx-1.16.in",
            "constraints/addons.txt",
            "constraints/test_lane.sh",
        ),
        *("components/__pycache__/module.pyc", "components/folder/__pycache__/module.pyc", "data/photo.jpg"),
    ]
    for path in needed + other:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert context(tmp_path) == set(needed)


def test_the_context_is_what_is_copied():
    sent = context(ROOT)
    assert [path for path in sent if not any(takes(source, path) for source in sources())] == []
    assert [source for source in sources() if not any(takes(source, path) for path in sent)] == []


def test_the_packages_are_whole():
    files = {path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()}
    needed = {path.as_posix() for path in files if "__pycache__" not in path.parts}
    assert {path for path in context(ROOT) if path.split("/")[0] in PACKAGES} == needed


def test_there_is_a_base_for_each_lane():
    assert {name for name in STAGES if name.startswith("tfx-")} == LANES
    assert {name.removeprefix("beam-") for name in STAGES if name.startswith("beam-tfx-")} == LANES
    (default,) = [line.removeprefix("ARG LANE=") for line in BEFORE if line.startswith("ARG LANE=")]
    assert default in LANES
    assert STAGES["python"].base == "${LANE}" and STAGES["beam"].base == "beam-${LANE}"


@pytest.mark.parametrize("lane", sorted(LANES))
def test_beams_start_program_is_of_the_lanes_beam(lane):
    python, version = re.fullmatch(r"apache/beam_python(.*)_sdk:(.*)", STAGES[f"beam-{lane}"].base).groups()
    files = [ROOT / "constraints" / f"{lane}{suffix}.txt" for suffix in ("", f"-py{python.replace('.', '')}")]
    (pins,) = [path for path in files if path.exists()]
    assert f"\napache-beam=={version}\n" in pins.read_text()


def test_stages_take_from_stages():
    named = re.findall(r"\bfrom=([^\s,]+)", (ROOT / "Dockerfile").read_text())
    assert len(named) == 3 and set(named) <= STAGES.keys()


def test_python_is_that_of_the_environment():
    (made,) = re.findall(r"VENV=(\S+)", " ".join(STAGES["dependencies"].arguments("RUN")))
    (path,) = re.findall(r"\bPATH=([^\s:]+)", " ".join(STAGES["specialist"].arguments("ENV")))
    assert path == f"{made}/bin"
    assert f"--from=dependencies {made} {made}" in STAGES["specialist"].arguments("COPY")


def test_the_extras_exist():
    (extras,) = re.findall(r"EXTRAS=(\S+)", " ".join(STAGES["dependencies"].arguments("RUN")))
    assert set(extras.split(",")) <= set(importlib.metadata.metadata("specialist").get_all("Provides-Extra"))


@pytest.mark.parametrize("name", ["specialist", ""])
def test_the_image_of_the_steps_runs_any_command_and_not_as_root(name):
    stages = chain(name)
    assert stages[-1] is STAGES["python"]  # whose base is the lane's
    assert not [line for stage in stages for line in stage.arguments("ENTRYPOINT")]
    users = [user for stage in stages for user in stage.arguments("USER")]
    assert users == ["1000"]


def test_a_worker_of_beam_is_the_same_image_with_beams_start_program():
    stage, *below = chain("beam-worker")
    assert below == chain("specialist")
    assert stage.arguments("ENTRYPOINT") == ['["/opt/apache/beam/boot"]']
    assert stage.arguments("COPY") == ["--from=beam /opt/apache/beam /opt/apache/beam"]


@pytest.fixture
def build_image(tmp_path):
    """Returns a function that runs the script with builders that only note what they are told."""
    commands = tmp_path / "bin"
    commands.mkdir()

    def run(working: str = "buildah", **variables: str) -> tuple[subprocess.CompletedProcess, list[list[str]]]:
        for name in ("docker", "podman", "buildah"):
            (commands / name).write_text(
                f'#!/bin/sh\n[ "$1" = info ] && exit {int(name not in working)}\n'
                f'printf "{name}" >>{tmp_path}/calls; printf "\\t%s" "$@" >>{tmp_path}/calls; echo >>{tmp_path}/calls\n'
            )
            (commands / name).chmod(0o755)
        (tmp_path / "calls").write_text("")
        path = f"{commands}:{pathlib.Path(sys.executable).parent}:/usr/bin:/bin"
        result = subprocess.run(
            ["sh", "constraints/build_image.sh"],
            cwd=ROOT,
            env={"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **variables},
            capture_output=True,
            text=True,
        )
        return result, [line.split("\t") for line in (tmp_path / "calls").read_text().splitlines()]

    return run


def options(call: list[str], name: str) -> list[str]:
    return [value for option, value in itertools.pairwise(call) if option == name]


def test_the_command_of_the_builder(build_image):
    result, (call,) = build_image(ACCELERATOR="cuda", BUILD_OPTIONS="--isolation chroot")
    assert result.returncode == 0, result.stderr
    version = importlib.metadata.version("specialist")
    given, labels = (dict(each.split("=", 1) for each in options(call, name)) for name in ("--build-arg", "--label"))
    assert given == {"LANE": "tfx-1.21", "ACCELERATOR": "cuda", "CODE_VERSION": hash_packages()}
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", labels.pop("org.opencontainers.image.revision"))
    assert labels == {"org.opencontainers.image.version": version, "specialist.code-version": hash_packages()}
    assert call[:2] == ["buildah", "build"] and call[-3:] == ["--isolation", "chroot", "."]
    assert options(call, "--tag") == [f"specialist:{version}"] and options(call, "--target") == ["specialist"]
    declared = {argument.partition("=")[0] for stage in STAGES.values() for argument in stage.arguments("ARG")}
    assert declared == given.keys()


def test_what_is_chosen(build_image):
    result, (call,) = build_image("docker buildah", LANE="tfx-1.16", TAG="registry/name:1", TARGET="beam-worker")
    assert result.returncode == 0, result.stderr
    assert call[0] == "docker" and "LANE=tfx-1.16" in options(call, "--build-arg")
    assert options(call, "--tag") == ["registry/name:1"] and options(call, "--target") == ["beam-worker"]
    _, (call,) = build_image("docker buildah", BUILDER="buildah")
    assert call[0] == "buildah"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"LANE": "tfx-2"}, "error: LANE: tfx-2 is not one of tfx-1.16, tfx-1.21"),
        ({"TARGET": "wheel"}, "error: TARGET: wheel is not one of specialist, beam-worker"),
        ({"ACCELERATOR": "rocm"}, "error: ACCELERATOR: rocm is not one of cuda, tpu"),
        ({"working": ""}, "error: BUILDER: none of docker, podman, buildah runs"),
        ({"BUILDER": "podman"}, "error: BUILDER: podman does not run"),
    ],
    ids=["no such lane", "no such target", "no such accelerator", "no builder", "a builder that does not run"],
)
def test_mistakes(build_image, variables, message):
    result, calls = build_image(**variables)
    assert result.returncode == 1 and not calls
    assert result.stderr.startswith(message) and len(result.stderr.splitlines()) == 1
