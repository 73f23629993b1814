"""The whole pipeline on a part of the embedded benchmark: what a rerun does again, and what a kill costs."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import PIL.Image
import pytest

import pipeline
from pipeline import pipeline as pipeline_module
from pipeline.config.load import load
from pipeline.config.run import ARMS
from pipeline.results import predict, summary
from pipeline.runners import forecast, local
from pipeline.runners.local import State
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
    nodes = pipeline_module.create_pipeline(settings, str(workspace))
    results = local.run(nodes)
    assert [result.node for result in results if result.state in (State.FAILED, State.BLOCKED)] == []
    summary.collect(settings, results, str(workspace))
    return {result.node: result for result in results}


def executed(results: dict[str, local.NodeResult]) -> set[str]:
    return {node for node, result in results.items() if result.state is State.DONE}


def versions(workspace: pathlib.Path) -> list[str]:
    return sorted(path.name for path in workspace.glob("serving/digits/[0-9]*"))


FINETUNE = {"digits-entire-source-finetune", "digits-same-distribution-finetune"}
PUSH = {"digits-evaluator", "digits-pusher"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> pathlib.Path:
    """A workspace in which the pipeline has run once. Tests change settings, so that what they run is of no other."""
    workspace = tmp_path_factory.mktemp("workspace")
    assert executed(run(workspace)) >= FINETUNE | PUSH | {"source-classifier", "digits-prior"}
    return workspace


def test_only_what_a_change_reaches_runs_again(workspace, tmp_path, monkeypatch):
    (version,) = versions(workspace)

    # The pushed model answers, in the words of the target.
    image = tmp_path / "digit.png"
    PIL.Image.new("L", (8, 8), 200).save(image)
    model, _ = predict.find_saved_model(str(workspace / "serving" / "digits"))
    (prediction,) = predict.predict(model, [str(image)])
    assert len(set(prediction.labels)) == 5 and set(prediction.labels) <= set("0123456789")
    assert not list((workspace / "serving").rglob("*.keras"))

    assert executed(run(workspace)) == set()
    assert versions(workspace) == [version]

    assert executed(run(workspace, "finetune.learning_rate=0.05")) == FINETUNE | PUSH

    # Other code of one executor: its node, and what follows from its output.
    real = pipeline_module.PriorEstimator.__init__.__globals__["code_version"]
    monkeypatch.setitem(
        pipeline_module.PriorEstimator.__init__.__globals__, "code_version", lambda module: f"{real(module)[:-1]}x"
    )
    again = executed(run(workspace, "finetune.learning_rate=0.05"))
    assert again >= {"digits-prior", "digits-same-distribution-resample", "digits-same-distribution-specialist"}
    assert not again & {"source-classifier", "digits-predictions", "source-entire-source-specialist"}


def test_what_the_sample_depends_on_never_runs_the_networks_of_the_source_again(workspace):
    only = ("targets.digits.arms=[same_distribution]", "targets.digits.push=null")
    assert executed(run(workspace, *only)) == set()
    trained = {"digits-same-distribution-specialist", "digits-same-distribution-finetune"}
    drawn = {"digits-same-distribution-resample", *trained}
    estimated = {"digits-prior", *drawn}
    for overrides, expected in (
        (["prior.temperature=1.0"], estimated),
        (["resample.seed=5"], drawn),
        (["targets.digits.arms=[elastic_distribution]"], {node.replace("same", "elastic") for node in drawn}),
    ):
        assert executed(run(workspace, *only, *overrides)) == expected, overrides


def test_a_forecast_says_what_would_run_and_changes_nothing(workspace):
    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in workspace.rglob("*")}

    before = everything()
    settings = load(DEMO, [*SMALL, "prior.smoothing=0.5"])
    states = forecast.forecast(settings, str(workspace))
    drawn = {f"digits-same-distribution-{kind}" for kind in ("resample", "specialist", "finetune")}
    # The baseline is the model that is served now, which the new one would be compared with.
    assert {node for node, state in states.items() if state is None} == {
        "digits-prior",
        *drawn,
        "digits-baseline",
        *PUSH,
    }
    assert {states["source-classifier"], states["digits-entire-source-finetune"]} == {State.REUSED}
    assert states["source-schema"] is State.RESOLVED
    assert everything() == before
    assert executed(run(workspace, "prior.smoothing=0.5")) == {"digits-prior", *drawn, *PUSH}


def test_a_name_of_no_label_is_refused_before_anything_runs(tmp_path):
    overrides = ["targets.digits.arms=[label_subset]", "targets.digits.push=null", "targets.digits.label_subset=[Latn]"]
    message = r"^targets\.digits\.label_subset: no label and no node above one is named 'Latn'; did you mean 'latin'"
    with pytest.raises(ValueError, match=message):
        run(tmp_path, *overrides)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stages", "expected"),
    [("hashes", "source-uniform-subsample-resample"), ("embeddings", "source-uniform-subsample-draft")],
    ids=["hashes", "embeddings: the classifier decides how many examples are left"],
)
def test_a_control_that_leaves_nothing_out_is_refused_before_anything_is_trained(tmp_path, stages, expected):
    tiny = "source.splits={train: 'train[:1%]', eval: 'eval[:1%]'}"
    overrides = ["targets.digits.arms=[uniform_subsample]", "targets.digits.push=null", "resample.n=5000"]
    overrides += ["near_duplicates={enabled: true, embeddings: 0.95}"] if stages == "embeddings" else []
    settings = load(DEMO, [*SMALL, tiny, *overrides])
    for dataset in settings.datasets().values():
        dataset.reader().prepare()
    results = {result.node: result for result in local.run(pipeline_module.create_pipeline(settings, str(tmp_path)))}
    (failed,) = (node for node, result in results.items() if result.state is State.FAILED)
    assert failed == expected
    assert re.search(r"n: 5,000, but the source has 7\d\d examples", str(results[failed].error))
    assert results["source-classifier"].state is State.BLOCKED


def test_nothing_is_computed_before_all_data_are_read_and_trained_before_they_are_validated(tmp_path):
    settings = load(DEMO, [*SMALL, "on_anomalies=warn", "near_duplicates.enabled=false"])
    for dataset in (settings.source, settings.targets["digits"].data):
        dataset.reader().prepare()
    nodes = {node.id: node for node in pipeline_module.create_pipeline(settings, str(tmp_path)).components}
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
    arms = [arm for arm in ARMS if arm != "entire_source"]
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
