"""Runs with a source classifier that exists already: P_t is that of the run which trained it."""

import pathlib
import shutil

import keras
import numpy as np
import pytest
from harness import SMALL

import pipeline
from components import storage
from components.artifacts import label_prior
from pipeline import pipeline as pipeline_module
from pipeline.config.load import load
from pipeline.place import Place
from pipeline.runners import local
from pipeline.runners.local import State

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
SETTINGS = [*SMALL, "compare.vary=[]"]


def run(workspace: pathlib.Path, settings: list[str], until: str | None) -> dict[str, local.NodeResult]:
    """Runs the small demo; returns how its nodes ended, by id."""
    config = load(DEMO, settings)
    for data in config.datasets().values():
        data.reader().prepare()
    results = local.run(pipeline_module.create_pipeline(config, Place.local(str(workspace)), until))
    assert [result.node for result in results if result.state in (State.FAILED, State.BLOCKED)] == []
    return {result.node: result for result in results}


def read_prior(results: dict[str, local.NodeResult]) -> label_prior.LabelPrior:
    [folder] = results["digits-prior"].uris()["label_prior"]
    return label_prior.from_table(storage.read_table(f"{folder}/{label_prior.FILE_NAME}"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[pathlib.Path, label_prior.LabelPrior]:
    """The folder of a trained classifier, and the prior by it."""
    results = run(tmp_path_factory.mktemp("trained"), SMALL, "prior")
    [folder] = results["source-classifier"].uris()["model"]
    return pathlib.Path(folder), read_prior(results)


@pytest.mark.slow
def test_the_prior_is_that_of_the_run_which_trained_it(trained, tmp_path):
    folder, expected = trained
    shutil.copytree(folder / "Format-Serving", tmp_path / "given")
    given = f"classifier={{model: '{tmp_path}/given'}}"
    results = run(tmp_path / "workspace", [*SETTINGS, given], "prior")
    assert next(iter(results)) == "source-classifier"
    prior = read_prior(results)
    np.testing.assert_allclose(prior.target_prior, expected.target_prior, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(prior.counts, expected.counts)
    assert (prior.unmapped_mass, prior.unmapped_labels) == (0, 0)
    again = run(tmp_path / "workspace", [*SETTINGS, given], "prior")
    assert {result.state for result in again.values()} == {State.REUSED}


@pytest.mark.slow
def test_a_file_with_some_of_its_labels_runs_to_the_end(trained, tmp_path):
    """A .keras file, from which a specialist starts, too; its labels are called otherwise, and one maps to none."""
    folder, expected = trained
    names = expected.names
    (tmp_path / "labels.txt").write_text("\n".join(f"printed {name}" for name in names), encoding="utf-8")
    lost = int(expected.target_prior.argmax())
    rows = ["label,source", *(f'"printed {name}","{name}"' for i, name in enumerate(names) if i != lost)]
    text = "\n".join(row.replace('"""', '""""') for row in rows)
    (tmp_path / "map.csv").write_text(text, encoding="utf-8")
    shutil.copy(folder / "Format-Keras" / "model.keras", tmp_path / "given.keras")
    files = f"model: '{tmp_path}/given.keras', labels: '{tmp_path}/labels.txt', label_map: '{tmp_path}/map.csv'"
    settings = [*SETTINGS, f"classifier={{{files}}}", "targets.digits.arms=[same_distribution, warm_start]"]
    results = run(tmp_path / "workspace", settings, None)
    prior = read_prior(results)
    moved = np.where(np.arange(len(names)) == lost, 0, expected.target_prior)
    np.testing.assert_allclose(prior.target_prior, moved / moved.sum(), rtol=0, atol=1e-6)
    assert prior.unmapped_mass == pytest.approx(expected.target_prior[lost], abs=1e-6)
    assert prior.unmapped_labels == 1
    assert results["digits-warm-start-finetune"].outputs
    [started] = results["digits-warm-start-specialist"].uris()["model"]
    before = keras.saving.load_model(folder / "Format-Keras" / "model.keras", compile=False).get_layer("backbone")
    after = keras.saving.load_model(f"{started}/Format-Keras/model.keras", compile=False).get_layer("backbone")
    assert [weights.shape for weights in after.get_weights()] == [weights.shape for weights in before.get_weights()]
