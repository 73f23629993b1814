"""The whole pipeline on a part of the embedded benchmark: what a rerun does again, and what a kill costs."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import PIL.Image
import pytest
from tfx.components.evaluator import executor as evaluator_executor

import pipeline
from components.prior_estimator import component as prior_estimator
from pipeline import pipeline as pipeline_module
from pipeline.config.arms import MATCHERS
from pipeline.config.load import load
from pipeline.nodes import ids
from pipeline.place import Place
from pipeline.results import predict, summary
from pipeline.runners import forecast, local
from pipeline.runners.local import State
from trainer import component
from trainer.loop import progress

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
SMALL = [
    "source.splits={train: 'train[:4%]', eval: 'eval[:4%]'}",
    *(f"{training}.steps={steps}" for training, steps in (("classifier", 6), ("pretrain", 4), ("finetune", 5))),
    *(f"{training}.batch_size=32" for training in ("classifier", "pretrain", "finetune")),
    "resample.n=300",
    "targets.digits.evaluation.minimum=0",
    "targets.digits.evaluation.max_regression=1",
]


def run(workspace: pathlib.Path, *overrides: str) -> dict[str, local.NodeResult]:
    settings = load(DEMO, [*SMALL, *overrides])
    for dataset in (settings.source, *(target.data for target in settings.targets.values())):
        dataset.reader().prepare()
    nodes = pipeline_module.create_pipeline(settings, Place.local(str(workspace)))
    results = local.run(nodes)
    assert [result.node for result in results if result.state in (State.FAILED, State.BLOCKED)] == []
    summary.collect(settings, results, str(workspace))
    return {result.node: result for result in results}


def executed(results: dict[str, local.NodeResult]) -> set[str]:
    """Returns the nodes that ran, without the report, which follows every change."""
    return {node for node, result in results.items() if result.state is State.DONE} - {ids.REPORT}


def versions(workspace: pathlib.Path) -> list[str]:
    return sorted(path.name for path in workspace.glob("serving/digits/[0-9]*"))


FINETUNE = {"digits-entire-source-finetune", "digits-same-distribution-finetune"}
ENTIRE_SOURCE = {"source-entire-source-specialist", "digits-entire-source-finetune"}
DRAWN = {f"digits-same-distribution-{kind}" for kind in ("resample", "specialist", "finetune")}
PUSH = {"digits-evaluator", "digits-pusher"}


@pytest.fixture(scope="module")
def first_run(tmp_path_factory) -> tuple[pathlib.Path, dict[str, local.NodeResult]]:
    """A workspace in which the pipeline has run once, with one arm, and how its nodes ended."""
    workspace = tmp_path_factory.mktemp("workspace")
    return workspace, run(workspace, "targets.digits.arms=[same_distribution]")


@pytest.fixture
def workspace(first_run, monkeypatch) -> pathlib.Path:
    """The workspace of the first run. Tests change settings, so that what they run is of no other.

    What runs again is a matter of the nodes' keys, not of what comes of it: in place of all further trainings and
    evaluations, the outputs of the first run are copied.
    """
    workspace, results = first_run

    def copy(node: str, key: str, written: dict) -> None:
        shutil.copytree(results[node].outputs[key][0].uri, written[key][0].uri, dirs_exist_ok=True)

    def copy_training(executor, inputs, written, properties) -> None:
        kind = "finetune" if properties["run_fn"] == "trainer.finetune.run_fn" else "specialist"
        for key in ("model", "model_run"):
            copy(f"digits-same-distribution-{kind}", key, written)

    def copy_evaluation(executor, inputs, written, properties) -> None:
        copy("digits-evaluator", "evaluation", written)
        (blessing,) = written["blessing"]
        blessing.set_int_custom_property("current_model_id", inputs["model"][0].id)
        blessing.set_int_custom_property("blessed", 1)

    monkeypatch.setattr(component.Executor, "Do", copy_training)
    monkeypatch.setattr(evaluator_executor.Executor, "Do", copy_evaluation)
    # A further arm runs what is its own, once.
    assert executed(run(workspace, "targets.digits.push=null")) <= ENTIRE_SOURCE
    return workspace


def test_the_whole_pipeline_pushes_a_model_and_does_nothing_twice(first_run, tmp_path):
    workspace, results = first_run
    assert executed(results) == {
        *(
            f"{side}-{kind}"
            for side in ("source", "digits")
            for kind in ("examples", "statistics", "schema", "validation")
        ),
        *("source-classifier", "source-predictions", "digits-predictions", "digits-prior"),
        *DRAWN,
        *PUSH,
    }
    (version,) = versions(workspace)

    # The pushed model answers, in the words of the target.
    image = tmp_path / "digit.png"
    PIL.Image.new("L", (8, 8), 200).save(image)
    model, _ = predict.find_saved_model(str(workspace / "serving" / "digits"))
    (prediction,) = predict.predict(model, [str(image)])
    assert len(set(prediction.labels)) == 5 and set(prediction.labels) <= set("0123456789")
    assert not list((workspace / "serving").rglob("*.keras"))

    again = run(workspace, "targets.digits.arms=[same_distribution]")
    assert executed(again) == set()
    assert (results[ids.REPORT].state, again[ids.REPORT].state) == (State.DONE, State.REUSED)
    assert versions(workspace) == [version]


def test_only_what_a_change_reaches_runs_again(workspace, monkeypatch):
    assert executed(run(workspace, "finetune.learning_rate=0.05")) == FINETUNE | PUSH

    # Other code of one executor: its node, and what follows from its output.
    real = prior_estimator.code_version
    monkeypatch.setattr(prior_estimator, "code_version", lambda module: f"{real(module)[:-1]}x")
    again = executed(run(workspace, "finetune.learning_rate=0.05"))
    assert again == {"digits-prior", *DRAWN, *PUSH}


def test_what_the_sample_depends_on_never_runs_the_networks_of_the_source_again(workspace):
    only = ("targets.digits.arms=[same_distribution]", "targets.digits.push=null")
    assert executed(run(workspace, *only)) == set()
    for overrides, expected in (
        (["prior.temperature=1.0"], {"digits-prior", *DRAWN}),
        (["resample.seed=5"], DRAWN),
        (["targets.digits.arms=[elastic_distribution]"], {node.replace("same", "elastic") for node in DRAWN}),
    ):
        assert executed(run(workspace, *only, *overrides)) == expected, overrides


def test_a_forecast_says_what_would_run_and_changes_nothing(workspace):
    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in workspace.rglob("*")}

    before = everything()
    settings = load(DEMO, [*SMALL, "prior.smoothing=0.5"])
    states = forecast.forecast(settings, str(workspace))
    # The baseline is the model that is served now, which the new one would be compared with.
    assert {node for node, state in states.items() if state is None} == {
        "digits-prior",
        *DRAWN,
        "digits-baseline",
        *PUSH,
        ids.REPORT,
    }
    assert {states["source-classifier"], states["digits-entire-source-finetune"]} == {State.REUSED}
    assert states["source-schema"] is State.REUSED
    assert everything() == before
    assert executed(run(workspace, "prior.smoothing=0.5")) == {"digits-prior", *DRAWN, *PUSH}


def test_a_name_of_no_label_is_refused_before_anything_runs(tmp_path):
    overrides = ["targets.digits.arms=[label_subset]", "targets.digits.push=null", "targets.digits.label_subset=[Latn]"]
    message = r"^targets\.digits\.label_subset: no label and no node above one is named 'Latn'; did you mean 'latin'"
    with pytest.raises(ValueError, match=message):
        run(tmp_path, *overrides)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("size", "stages", "expected", "count"),
    [
        ("4%", "{enabled: false}", "source-uniform-subsample-resample", "3,057"),
        ("1%", "{enabled: true, embeddings: 0.95}", "source-uniform-subsample-draft", "764"),
    ],
    ids=["as many are left as there are", "embeddings: the classifier decides how many examples are left"],
)
def test_a_control_that_leaves_nothing_out_is_refused_before_anything_is_trained(
    first_run, size, stages, expected, count
):
    workspace, _ = first_run
    splits = f"source.splits={{train: 'train[:{size}]', eval: 'eval[:{size}]'}}"
    overrides = ["targets.digits.arms=[uniform_subsample]", "targets.digits.push=null", "resample.n=5000"]
    settings = load(DEMO, [*SMALL, splits, *overrides, f"near_duplicates={stages}"])
    for dataset in settings.datasets().values():
        dataset.reader().prepare()
    results = {
        result.node: result
        for result in local.run(pipeline_module.create_pipeline(settings, Place.local(str(workspace))))
    }
    (failed,) = (node for node, result in results.items() if result.state is State.FAILED)
    assert failed == expected
    assert f"n: 5,000, but the source has {count} examples" in str(results[failed].error)
    assert results["source-classifier"].state is State.BLOCKED


def test_nothing_is_computed_before_all_data_are_read_and_trained_before_they_are_validated(tmp_path):
    settings = load(DEMO, [*SMALL, "on_anomalies=warn", "near_duplicates.enabled=false"])
    for dataset in (settings.source, settings.targets["digits"].data):
        dataset.reader().prepare()
    nodes = {node.id: node for node in pipeline_module.create_pipeline(settings, Place.local(str(tmp_path))).components}
    above: dict[str, set[str]] = {}
    for id, node in nodes.items():  # in the order of execution
        ups = {up.id for up in node.upstream_nodes}
        above[id] = ups.union(*(above[up] for up in ups))
    read = {"source-examples", "digits-examples"}
    assert above["source-examples"] == {"digits-examples"} and not above["digits-examples"]
    assert {id for id, found in above.items() if not read <= found} == read | {"source-schema", "digits-schema"}
    validated = {"source-validation", "digits-validation"}
    for id in validated:
        assert nodes[id].exec_properties["on_anomalies"] == "warn"
    trained = {id for id, node in nodes.items() if "run_fn" in node.exec_properties}
    assert {"source-classifier", "source-entire-source-specialist", *FINETUNE} < trained
    assert all(validated <= above[id] for id in trained)


@pytest.mark.slow
def test_every_arm_goes_the_same_way(tmp_path):
    arms = list(MATCHERS)
    results = run(
        tmp_path,
        *("targets.digits.push=emd_subset", f"targets.digits.arms={arms}", "targets.digits.label_subset=[digits]"),
        *("resample.materialise=true", "prior.estimator=em"),
    )
    assert {f"digits-{arm.replace('_', '-')}-finetune" for arm in arms} <= executed(results)
    assert len(versions(tmp_path)) == 1


@pytest.mark.slow
def test_a_kill_during_pre_training_costs_only_that_node(tmp_path):
    command = [sys.executable, "-m", "pipeline.cli", "run", DEMO, "--workspace", str(tmp_path)]
    command += [part for override in [*SMALL, "pretrain.steps=100000"] for part in ("--set", override)]
    killed = "digits-same-distribution-specialist"
    # So long a training that it is sure to be under way: the other arm's is left out.
    command += ["--set", "targets.digits.arms=[same_distribution]"]
    # Saving once a step says when it is.
    command += ["--set", "checkpoint.steps=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 300
        artifacts = tmp_path / "artifacts" / killed / "model"
        while not list(tmp_path.glob(f"checkpoints/{killed}/*/ckpt-*.index")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not list(artifacts.rglob("saved_model.pb"))

    results = run(tmp_path, "targets.digits.arms=[same_distribution]")
    assert results["source-classifier"].state is State.REUSED
    assert results["digits-same-distribution-resample"].state is State.REUSED
    assert executed(results) == {killed, "digits-same-distribution-finetune", *PUSH}
    assert len(versions(tmp_path)) == 1


@pytest.mark.slow
def test_a_training_that_sigterm_stopped_goes_on_where_it_was(tmp_path):
    only = ["targets.digits.arms=[same_distribution]", "targets.digits.push=null"]
    long = [*only, "classifier.steps=300"]
    command = [sys.executable, "-m", "pipeline.cli", "run", DEMO, "--workspace", str(tmp_path)]
    command += [part for override in [*SMALL, *long] for part in ("--set", override)]
    # Saving once a step says when the training is under way.
    with subprocess.Popen([*command, "--set", "checkpoint.steps=1"], stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("checkpoints/source-classifier/*/ckpt-*.index")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        process.terminate()
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 143
    stopped = re.search(r"stopped: SIGTERM after step (\d+) of 300; run the same command to resume", output)
    assert stopped and "failed" not in output
    done = int(stopped.group(1))
    assert list(tmp_path.glob(f"checkpoints/source-classifier/*/ckpt-{done}.index"))

    heard = []
    with progress.listen(heard.append):
        results = run(tmp_path, *long)
    assert heard[0].step == done + 1
    assert results["source-examples"].state is State.REUSED
    assert {"source-classifier", "digits-same-distribution-finetune"} <= executed(results)
    assert not list(tmp_path.glob("checkpoints/*/*"))

    # How often a training is saved is no reason to train again.
    again = subprocess.run([*command, "--set", "checkpoint.minutes=3"], capture_output=True, text=True, check=True)
    assert "done" not in again.stdout and "reused" in again.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "image"),
    [
        ("{name: inception_v3}", "{size: 75, channels: 3}"),
        (
            "{name: amoebanet_b, options: {normal_cells: 3, filters: 16, drop_path: 0.3, auxiliary: true}}",
            "{size: 19, channels: 1}",
        ),
    ],
    ids=["inception_v3", "amoebanet_b"],
)
def test_the_published_networks_go_the_same_way(tmp_path, backbone, image):
    results = run(
        tmp_path,
        *(f"backbone={backbone}", f"image={image}"),
        *("classifier.steps=3", "pretrain.steps=3", "finetune.steps=3"),
        *(f"{training}.batch_size=8" for training in ("classifier", "pretrain", "finetune")),
        *("source.splits={train: 'train[:1%]', eval: 'eval[:1%]'}", "resample.n=40"),
    )
    assert executed(results) >= FINETUNE | PUSH
    assert len(versions(tmp_path)) == 1
