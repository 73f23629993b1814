"""The demo on backends that are folders: each task's command gets what the backend would give it."""

import io
import pathlib
import time

import harness
import numpy as np
import PIL.Image
import pyarrow as pa
import pytest
import ram
import tensorflow as tf
import yaml
from typer.testing import CliRunner

from components.artifacts import versions
from components.transfer_report import block
from pipeline import cli, record
from pipeline.config.load import load
from pipeline.report import command
from pipeline.results import inspect
from pipeline.runners import task as tasks

# As few steps as can be: for tests of what is done, not of what comes of it.
SHORT = [
    *(f"{training}.steps={steps}" for training, steps in (("classifier", 6), ("pretrain", 4), ("finetune", 5))),
    *(f"{training}.batch_size=32" for training in ("classifier", "pretrain", "finetune")),
]

DEMO = str(pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml")


@pytest.fixture
def make(compiled, tmp_path):
    def make(backend: str, *overrides: str, files: str | None = None, run: str = "run-1", **options) -> harness.Harness:
        """Compiles the small demo for a backend in a folder; `options` are those of the two."""
        files = files or f"{tmp_path}/files"
        root = f"{files}/root" if backend == "vertex" else "minio://mlpipeline/runs"
        place = [f"remote.files={files}", f"remote.root={root}"]
        compiling = {key: options.pop(key) for key in ("comparison", "baselines") if key in options}
        found = compiled(backend, *place, *harness.SMALL, *overrides, **compiling)
        if found.tasks_folder is not None:
            tasks.write(found.tasks_folder, run, found.tasks)
        return harness.Harness(found.to_text(), tmp_path, backend, run=run, **options)

    return make


def read_tables(root: str) -> tuple:
    """Returns the tables that `specialist prior` and `specialist plan` show."""

    def read(found: record.Record):
        return inspect.prior(found, "digits"), inspect.plan_labels(found, "digits", "same_distribution")

    tables, note = record.read_newest(root, read)
    assert note is None
    return tables


def predict(serving: pathlib.Path) -> np.ndarray:
    """Returns the probabilities, [20, 10], that the newest model gives for 20 images."""
    images = []
    for pixels in np.random.default_rng(0).integers(0, 256, (20, 32, 32), np.uint8):
        file = io.BytesIO()
        PIL.Image.fromarray(pixels).save(file, "PNG")
        images.append(file.getvalue())
    newest = versions.list_versions(str(serving)).newest
    assert newest is not None
    loaded = tf.saved_model.load(str(serving / newest))
    return loaded.signatures["image_bytes"](tf.constant(images))["probabilities"].numpy()


@pytest.mark.slow
def test_the_report_follows_a_failed_arm(make, tmp_path):
    def start(step: harness.Step) -> None:
        if step.name == "digits-same-distribution-specialist":
            raise RuntimeError("it diverged")
        harness.run_here(step)

    found = make("kubeflow", start=start, may_fail=True)
    found.run()
    assert found.failed.keys() == {"digits-same-distribution-specialist"}
    assert "digits-same-distribution-finetune" not in found.outputs
    text = pathlib.Path(found.path("transfer-report", "report"), "block.json").read_text(encoding="utf-8")
    reported = block.from_json(text)
    arms = {arm.name: arm.seeds for arm in reported.targets["digits"].arms}
    assert arms == {"entire_source": (0,), "same_distribution": ()}
    missing = {each.what: each.why for each in reported.missing}
    assert missing.keys() == {
        "arm same_distribution of digits",
        "the evaluation of digits",
        "the push of digits",
    }
    assert all(why.startswith("digits-same-distribution-specialist failed") for why in missing.values())
    states = {node.id: node.state for node in reported.lineage}
    assert states["digits-same-distribution-specialist"] == "failed"
    assert {states[f"digits-{name}"] for name in ("same-distribution-finetune", "evaluator", "pusher")} == {"blocked"}
    assert {states[name] for name in found.outputs if name in states} == {"ran"}
    seconds = {node.id: node.seconds for node in reported.lineage}
    assert seconds["digits-entire-source-finetune"] > 0  # as that step noted it
    assert reported.targets["digits"].labels is not None and len(reported.targets["digits"].thumbnails) > 100
    path = command.find_report(str(tmp_path / "files"))[0]
    assert pathlib.Path(path).is_file()  # where `specialist report` can open it


def test_on_kubeflow_from_the_source_to_a_pushed_model(make, tmp_path):
    found = make("kubeflow", "near_duplicates.enabled=true", "targets.digits.arms=[same_distribution]", *SHORT)
    found.run()
    assert found.outputs.keys() == found.spec["root"]["dag"]["tasks"].keys()
    assert predict(tmp_path / "files" / "serving" / "digits").shape == (20, 10)
    prior, plan = read_tables(str(tmp_path / "files"))
    assert len(prior) == 770
    assert sum(plan["quota"].to_pylist()) == 500
    assert {file.stem for file in (tmp_path / "files" / "runs" / "run-1").iterdir()} == found.outputs.keys()
    assert not list((tmp_path / "files" / "checkpoints" / "demo").glob("*/*"))

    def refuse(step: harness.Step) -> None:
        raise AssertionError(f"{step.name} runs again")

    harness.Harness(yaml.safe_dump(found.spec), tmp_path, "kubeflow", start=refuse).run()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["kubeflow", "vertex"])
@pytest.mark.parametrize("start", [harness.run_here, harness.run_as_process], ids=["in this process", "as processes"])
def test_it_gives_what_a_local_run_gives(make, run, tmp_path, backend, start):
    overrides = [*harness.SMALL, "near_duplicates.enabled=true"]
    began = time.perf_counter()
    results, _ = run(DEMO, overrides, tmp_path / "local")
    locally = time.perf_counter() - began
    began = time.perf_counter()
    make(backend, "near_duplicates.enabled=true", titles=backend == "kubeflow", start=start).run()
    print(f"{backend}: {(time.perf_counter() - began) / locally:.2f} of the time of a local run, {locally:.0f} s")
    nodes = {name: record.Node("done", 0.0, result.uris()) for name, result in results.items()}
    record.write(str(tmp_path / "local"), "run", record.Record(load(DEMO, overrides).model_dump(), nodes))
    for here, there in zip(read_tables(str(tmp_path / "local")), read_tables(str(tmp_path / "files")), strict=True):
        assert here.column_names == there.column_names
        for column in here.column_names:
            if here[column].type not in (pa.string(), pa.bool_()):
                np.testing.assert_allclose(here[column].fill_null(0), there[column].fill_null(0), atol=1e-5)
    probabilities = [predict(tmp_path / place / "serving" / "digits") for place in ("local", "files")]
    np.testing.assert_allclose(*probabilities, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["kubeflow", "vertex"])
def test_a_new_model_is_compared_with_the_served_one_and_withdrawn(make, tmp_path, backend):
    serving = tmp_path / "files" / "serving" / "digits"
    first = make(backend)
    first.run()
    answers = predict(serving)
    uri = first.outputs["digits-same-distribution-finetune"]["model"][0]["uri"]
    worse_is_fine = "targets.digits.evaluation.max_regression=1"  # after so few steps chance decides

    def make_next(name: str, parameters: dict, again: list[str]) -> harness.Harness:
        found = make(backend, worse_is_fine, baselines={"digits": uri}, run=name, parameters=parameters)
        for step in again:
            found.outputs.pop(step, None)
        found.run()
        return found

    steps = ["digits-same-distribution-finetune", "digits-evaluator", "digits-pusher"]
    second = make_next("run-2", {"finetune_steps": 25}, steps)
    (blessing,) = second.outputs["digits-evaluator"]["blessing"]
    assert "baseline_model_id" in blessing["metadata"]
    history = pathlib.Path(second.path(steps[0], "model_run"), "history.csv").read_text().splitlines()
    assert history[-1].startswith("25,")
    assert len(versions.list_versions(str(serving)).complete) == 2
    assert np.abs(predict(serving) - answers).max() > 1e-3

    rolled_back = CliRunner().invoke(cli.app, ["rollback", str(serving)])
    assert rolled_back.exit_code == 0, rolled_back.output
    np.testing.assert_array_equal(predict(serving), answers)
    make_next("run-3", {"finetune_steps": 25}, ["digits-pusher"])  # nobody wants this model
    assert len(versions.list_versions(str(serving)).complete) == 1
    make_next("run-4", {"push_destination_digits": str(tmp_path / "elsewhere")}, ["digits-pusher"])
    assert len(versions.list_versions(str(tmp_path / "elsewhere")).complete) == 1


@pytest.mark.slow
def test_a_comparison(make, tmp_path):
    settings = "compare={seeds: 2, arms: [entire_source, same_distribution]}"
    found = make("kubeflow", settings, comparison=True)
    found.run()
    finetunings = [name for name in found.outputs if name.endswith("-finetune")]
    assert len(finetunings) == 4
    for name in finetunings:
        assert (pathlib.Path(found.path(name, "model_run")) / "metrics.json").is_file()


@pytest.mark.slow
def test_everything_on_an_object_store(make, monkeypatch):
    monkeypatch.setattr(versions, "_sizes", ram.sizes_of)
    found = make("vertex", "near_duplicates.enabled=true", files="ram://bucket/runs")
    found.run()
    assert found.outputs.keys() == found.spec["root"]["dag"]["tasks"].keys()
    newest = versions.list_versions("ram://bucket/runs/serving/digits").newest
    loaded = tf.saved_model.load(f"ram://bucket/runs/serving/digits/{newest}")
    assert "image_bytes" in loaded.signatures
    prior, plan = read_tables("ram://bucket/runs")
    assert (len(prior), sum(plan["quota"].to_pylist())) == (770, 500)
    for _, folders, files in tf.io.gfile.walk("ram://bucket/runs/checkpoints/demo"):
        assert not [name for name in files if name.startswith("ckpt")], folders
