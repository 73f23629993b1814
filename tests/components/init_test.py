"""What `components` and `trainer` offer, and when it is imported."""

import importlib
import subprocess
import sys

import pytest

import components
import trainer

ARTIFACTS = {
    *("ExampleIndex", "Exclusions", "LabelPrior", "LabelVocabulary", "Predictions", "Rejected", "ResamplePlan"),
    "LabelCounts",
}
COMPONENTS = {
    "CountsImporter",
    "EmbeddingDuplicateFilter",
    "Evaluator",
    "ExampleIndexer",
    "ExampleValidator",
    "SchemaImporter",
    "ImportanceResampler",
    "NearDuplicateFilter",
    "Predictor",
    "PriorEstimator",
    "Pusher",
    "SourceExampleGen",
    "StatisticsGen",
    "TargetExampleGen",
    "TargetSampler",
}


def modules_after(code: str) -> set[str]:
    code += "; import sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("package", ["components", "trainer"])
def test_importing_it_imports_nothing_heavy(package):
    heavy = {"tensorflow", "keras", "tfx", "apache_beam", "numpy"}
    assert modules_after(f"import {package}; dir({package})") & heavy == set()


def test_names():
    assert set(components.__all__) == ARTIFACTS | COMPONENTS
    assert components.__all__ == dir(components) == sorted(components.__all__)


def test_the_trainer():
    assert trainer.__all__ == dir(trainer) == ["ModelImporter", "Trainer"]
    assert trainer.ModelImporter is importlib.import_module("trainer.model_import.component").ModelImporter
    assert trainer.Trainer is importlib.import_module("trainer.component").Trainer


@pytest.mark.parametrize("name", sorted(ARTIFACTS | COMPONENTS))
def test_a_name_is_the_class_of_that_name(name):
    named = getattr(components, name)
    assert isinstance(named, type) and named.__name__ == name
    assert named.__module__.startswith("components.")
    assert named is getattr(importlib.import_module(named.__module__), name)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match=r"^module 'components' has no attribute 'Nothing'$"):
        components.Nothing  # noqa: B018
    with pytest.raises(ImportError):
        from components import Nothing  # noqa: F401
