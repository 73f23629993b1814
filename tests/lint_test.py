"""Each contract on imports is broken by an import that it forbids, and by nothing else here."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = "pipeline, then trainer, then components"
COMPONENTS = "components: their folders, then the artifacts, then what serves all"
TRAINER = "trainer: the run_fns, then the loop and the data, then the models"
PIPELINE = "pipeline: the command line on top, the configuration below"
CONSOLE = "nothing that makes or runs nodes knows a console"
PURE = "pure modules import neither TFX nor Beam nor TensorFlow"


@pytest.fixture
def contracts(tmp_path):
    """A function ({module: what it imports besides}) → {contract: whether it is kept}, for a copy of the packages."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("components", "pipeline", "schemas", "trainer"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))

    def check(**imports: str) -> dict[str, bool]:
        for module, imported in imports.items():
            with (tmp_path / f"{module.replace('.', '/')}.py").open("a") as file:
                file.write(f"import {imported}\n")
        script = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
        # The working directory comes first on the path, before the installed packages.
        linted = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
            capture_output=True,
            text=True,
        )
        told = [line.rpartition(" ") for line in linted.stdout.splitlines()]
        found = {name: verdict == "KEPT" for name, _, verdict in told if verdict in ("KEPT", "BROKEN")}
        assert linted.returncode == (0 if all(found.values()) else 1), linted.stderr
        return found

    return check


def test_the_contracts_are_kept(contracts):
    assert contracts() == dict.fromkeys((PACKAGES, COMPONENTS, TRAINER, PIPELINE, CONSOLE, PURE), True)


@pytest.mark.parametrize(
    ("module", "imported", "broken"),
    [
        ("components.storage", "trainer.presets", {PACKAGES}),
        ("trainer.presets", "pipeline.config.data", {PACKAGES}),
        ("components.predictor.executor", "components.near_duplicates.matching", {COMPONENTS}),
        ("components.artifacts.index", "components.example_gen.splits", {COMPONENTS}),
        ("components.settings", "components.artifacts.hierarchy", {COMPONENTS}),
        ("trainer.models.registry", "trainer.loop.history", {TRAINER}),
        ("trainer.data.images", "trainer.loop.history", {TRAINER}),
        ("pipeline.config.data", "pipeline.nodes.ids", {PIPELINE}),
        ("pipeline.terminal.text", "pipeline.results.inspect", {PIPELINE, PURE}),
        ("pipeline.nodes.push", "pipeline.terminal.logs", {PIPELINE, CONSOLE}),
        ("pipeline.nodes.push", "rich.console", {CONSOLE}),
        ("trainer.loop.progress", "typer", {CONSOLE}),
        ("components.artifacts.index", "tensorflow", {PURE}),
        ("components.artifacts.index", "components.storage", {PURE}),  # which imports TensorFlow inside functions
        ("components.importance_resampler.matchers.whole_labels", "components.importance_resampler.copying", {PURE}),
        ("components.near_duplicates.matching", "tfx.types", {PURE}),
    ],
)
def test_a_forbidden_import(contracts, module, imported, broken):
    assert {name for name, kept in contracts(**{module: imported}).items() if not kept} == broken
