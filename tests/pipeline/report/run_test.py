"""The report on a run: what it says is what the run has, also of a run of which a part failed."""

import csv
import io
import json
import pathlib

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

from components.artifacts import plan
from components.transfer_report import top_labels
from pipeline import record
from pipeline.nodes import ids
from pipeline.report import inputs, run
from pipeline.results import inspect
from pipeline.runners.local import State

FAILING = "digits-same-distribution-specialist"


def read_record(results, config: dict) -> record.Record:
    nodes = {name: record.Node(each.state.value, each.seconds, each.uris()) for name, each in results.items()}
    return record.Record(config, nodes)


@pytest.fixture
def reported(run_demo):
    return run_demo()


def test_the_arms_are_those_of_the_metrics(reported):
    results, found = reported
    target = found.targets["digits"]
    assert (found.kind, found.missing, target.split, target.metric) == ("run", (), "test", "accuracy")
    assert [(arm.name, arm.reference, arm.seeds) for arm in target.arms] == [
        ("entire_source", True, (0,)),
        ("same_distribution", False, (0,)),
    ]
    for arm in target.arms:
        folder = results[ids.arm_node("digits", arm.name, ids.FINETUNE)].outputs["model_run"][0].uri
        metrics = json.loads(pathlib.Path(folder, "metrics.json").read_text())
        assert arm.values == (metrics["test"]["accuracy"],) and arm.mean == metrics["test"]["accuracy"]
        assert arm.eval_mean == metrics["eval"]["accuracy"]
        assert (arm.low, arm.high) == (None, None)  # one seed tells of no interval
        assert arm.seconds > 0 and arm.total_seconds >= arm.seconds
    entire, same = target.arms
    assert (entire.pool, entire.pool_kind) == (found.source.images["train"], "source")
    assert (same.pool, same.pool_kind) == (target.achieved["same_distribution"].examples, "sample")
    assert target.verdict.arm == max(target.arms, key=lambda arm: arm.eval_mean).name
    assert (target.verdict.pushed, target.verdict.pushed_arm) == (False, None)


def test_the_images_alone_say_something_of_one_seed(reported):
    results, found = reported
    target = found.targets["digits"]
    entire, same = target.arms
    assert (entire.gained, entire.images_low) == (None, None)
    right = []
    for arm in (entire, same):
        folder = results[ids.arm_node("digits", arm.name, ids.FINETUNE)].outputs["model_run"][0].uri
        table = pq.read_table(pathlib.Path(folder, "predictions-test.parquet")).sort_by("id")
        right.append(table["predicted"].to_numpy() == table["label"].to_numpy())
    assert (same.gained, same.lost) == ((right[1] & ~right[0]).sum(), (right[0] & ~right[1]).sum())
    assert same.gained - same.lost == round((same.mean - entire.mean) * target.images["test"])
    assert same.images_low <= same.mean - entire.mean <= same.images_high and same.images_low < same.images_high


def test_the_labels_are_those_of_the_csv(reported, tmp_path):
    results, found = reported
    labels = found.targets["digits"].labels
    settings = {"targets": {"digits": {"arms": ["same_distribution"]}}}
    of_run = read_record(results, settings)
    path = tmp_path / "labels.csv"
    inspect.write_csv(inspect.prior(of_run, "digits"), str(path))
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    assert labels.names == tuple(row["name"] for row in rows) and len(rows) == 770
    for ours, column, kind in (
        (labels.counts, "count", int),
        (labels.source_share, "source_prior", float),
        (labels.target_share, "target_prior", float),
        (labels.weights, "importance_weight", float),
    ):
        assert ours == tuple(kind(row[column]) for row in rows)
    drawn = inspect.plan_labels(of_run, "digits", "same_distribution")
    for ours, column in ((labels.drawn, "quota"), (labels.unique, "unique"), (labels.repeats, "repeats")):
        assert ours == tuple(drawn[column].to_pylist())
    achieved = found.targets["digits"].achieved["same_distribution"]
    header = plan.header_of(drawn)
    assert (achieved.examples, achieved.distance_seen) == (header["examples"], header["distance_seen"])
    assert {path[0] for path in labels.paths} >= {"digits", "latin"}


def test_the_pictures(reported):
    target = reported[1].targets["digits"]
    counts = target.labels.counts
    top = sorted(range(770), key=lambda label: (-target.labels.target_share[label], label))
    first = [label for label in top if counts[label]][:200]
    named = [each.label for found in target.explained for each in found.top if counts[each.label]]
    assert list(target.thumbnails) == list(dict.fromkeys([*first, *named]))
    assert len(target.thumbnails) > 200  # no label that is named lacks its picture
    assert {len(found) for label, found in target.thumbnails.items() if counts[label] >= 3} == {3}
    assert all(
        picture.id.startswith(f"train-{label:04d}-") for label, found in target.thumbnails.items() for picture in found
    )
    assert len(target.explained) == 24
    assert {each.label for each in target.explained} == {str(digit) for digit in range(10)}
    assert all(len(each.top) == 5 for each in target.explained)
    assert list(target.labels.seen_in) == top_labels.order_by_share(target.labels)[:3]
    assert target.labels.looked_at == 100
    for doubt in target.labels.doubts:
        assert target.labels.flagged[doubt.label] and doubt.images >= 5
        assert doubt.label in target.thumbnails and len(doubt.pictures) == 3


def test_the_confusion_matrix_is_of_the_best_arm(reported):
    target = reported[1].targets["digits"]
    arm = next(arm for arm in target.arms if arm.name == target.confusion.arm)
    rows = np.array(target.confusion.rows)
    assert target.confusion.arm == target.verdict.arm and rows.sum() == target.images["test"]
    assert np.trace(rows) / rows.sum() == arm.mean
    first = target.confusion.pairs[0]
    names = target.confusion.classes
    assert first.count == rows[names.index(first.true), names.index(first.predicted)]
    assert len(first.examples) == min(3, first.count)


def test_the_curves_and_the_lineage(reported):
    results, found = reported
    curves = found.targets["digits"].curves
    assert list(curves) == [
        "source-classifier",
        "source-entire-source-specialist",
        "digits-entire-source-finetune",
        "digits-same-distribution-specialist",
        "digits-same-distribution-finetune",
    ]
    assert {curve.eval_loss for curve in curves.values()} == {(None, 1.75)}
    assert [curve.title for curve in curves.values()] == [
        "source classifier",
        "entire_source: pre-training",
        "entire_source: fine-tuning",
        "same_distribution: pre-training",
        "same_distribution: fine-tuning",
    ]
    nodes = {node.id: node for node in found.lineage}
    assert nodes.keys() == results.keys() - {ids.REPORT}
    assert "digits-prior" in nodes["digits-same-distribution-resample"].needs
    assert nodes["source-examples"].state == "reused" and nodes["source-classifier"].state == "ran"
    assert nodes["digits-prior"].outputs == {"label_prior": (results["digits-prior"].outputs["label_prior"][0].uri,)}
    assert found.seeds == (0,) and "name: demo" in found.configuration and found.versions["keras"]


def test_a_failed_arm_is_named_and_made_up_for(run_demo, trainings):
    trainings.failing.add(FAILING)
    results, found = run_demo()
    assert results[ids.REPORT].state is State.DONE
    (missing,) = found.missing
    assert (missing.what, missing.target) == ("arm same_distribution of digits", "digits")
    assert missing.why == f"{FAILING} failed: it diverged"
    target = found.targets["digits"]
    assert [arm.seeds for arm in target.arms] == [(0,), ()]
    assert target.verdict.arm == "entire_source" and target.confusion.arm == "entire_source"
    assert target.labels.arm == "same_distribution"  # its sample was drawn
    states = {node.id: (node.state, node.note) for node in found.lineage}
    assert states[FAILING] == ("failed", "it diverged")
    assert states["digits-same-distribution-finetune"] == ("blocked", f"needs {FAILING}")
    # The same failure again is no news; another one is.
    assert run_demo()[0][ids.REPORT].state is State.REUSED
    trainings.failing.clear()
    results, found = run_demo()
    assert results[ids.REPORT].state is State.DONE and found.missing == ()
    assert {result.state for result in run_demo()[0].values()} <= {State.REUSED, State.RESOLVED}


def test_data_that_cannot_be_read(run_demo, trainings):
    results, found = run_demo("targets.digits.data.id_key=nothing")
    assert results["digits-examples"].state is State.FAILED
    assert found.source is None and found.targets["digits"].labels is None
    assert {missing.what for missing in found.missing} == {
        "the source data",
        "the data of digits",
        "the label prior of digits",
        "arm entire_source of digits",
        "arm same_distribution of digits",
    }
    assert all(missing.why.startswith("digits-examples failed: ") for missing in found.missing)
    assert found.targets["digits"].verdict.arm is None


def test_a_target_without_a_test_split(run_demo):
    _, found = run_demo("targets.digits.data.splits={train: train, eval: 'eval[:10%]'}")
    target = found.targets["digits"]
    assert target.split == "eval" and target.images.keys() == {"train", "eval"}
    assert all(arm.mean == arm.eval_mean for arm in target.arms)
    assert sum(map(sum, target.confusion.rows)) == target.images["eval"]
    assert any("digits" in caveat and "eval is reported" in caveat for caveat in found.caveats)


@pytest.mark.parametrize(("images", "of_source", "of_target"), [("source", True, False), ("none", False, False)])
def test_images_that_are_not_to_be_shown(run_demo, images, of_source, of_target):
    _, found = run_demo(f"report.images={images}")
    target = found.targets["digits"]
    assert bool(target.thumbnails) is of_source
    assert bool(target.explained) is of_target
    assert any(pair.examples for pair in target.confusion.pairs) is of_target
    assert target.confusion.rows and target.labels is not None


def draw(path: pathlib.Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 9, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(path)


def test_a_source_of_two_labels_with_duplicates_and_damaged_images(run_demo, tmp_path):
    for label, count in (("cat", 5), ("owl", 9)):
        for i in range(count):
            draw(
                tmp_path / "source" / "train" / label / f"{label}-{i}.png", 100 * len(label) + (label == "owl") * 50 + i
            )
            draw(tmp_path / "source" / "eval" / label / f"{label}-{i}.png", 5000 + (label == "owl") * 50 + i)
    (tmp_path / "source" / "train" / "owl" / "broken.png").write_bytes(b"\x89PNG nothing")
    for label in ("red", "blue"):
        for split in ("train", "eval"):
            for i in range(4):
                draw(
                    tmp_path / "target" / split / label / f"{i}.png",
                    900 + 10 * len(label) + i + 100 * (split == "eval"),
                )
    twin = (tmp_path / "source" / "train" / "cat" / "cat-3.png").read_bytes()
    (tmp_path / "target" / "train" / "red" / "twin.png").write_bytes(twin)
    config = tmp_path / "two.yaml"
    splits = "{train: train, eval: eval}"
    config.write_text(
        f"""
name: two
image: {{size: 16, channels: 3}}
backbone: {{name: compact_cnn}}
source: {{folder: {tmp_path}/source, splits: {splits}, max_rejected: 0.5}}
targets:
  colours: {{data: {{folder: {tmp_path}/target, splits: {splits}}}, arms: [entire_source, same_distribution]}}
classifier: {{preset: small_classifier}}
pretrain: {{preset: small_pretrain}}
finetune: {{preset: small_finetune}}
resample: {{n: 6}}
"""
    )
    _, found = run_demo(config=str(config))
    assert found.missing == ()
    assert found.source.labels == 2 and found.source.excluded == {"eval": 0, "train": 1}
    assert found.source.images == {"train": 14, "eval": 14}
    (aside,) = found.source.set_aside
    assert aside.count == 1 and aside.examples == ()
    target = found.targets["colours"]
    assert target.labels.names == ("cat", "owl") and target.labels.counts == (4, 9)  # without the excluded one
    assert set(target.thumbnails) == {0, 1}
    (pair,) = target.duplicates
    assert (pair.source.id.endswith("cat-3.png"), pair.target.id.endswith("twin.png")) == (True, True)
    assert (pair.kind, pair.distance) == ("same file", None)
    assert all(picture.id != pair.source.id for of_label in target.thumbnails.values() for picture in of_label)
    assert target.confusion.classes == ("blue", "red")
    assert sum(target.labels.drawn) == 6


def test_what_a_record_gives_is_what_the_node_gave(run_demo, workspace):
    results, found = run_demo()
    settings = inputs.parse(found.configuration)
    of_run = read_record(results, json.loads(json.dumps(settings.model_dump())))
    again = run.collect(inputs.from_record(of_run, str(workspace)))
    for name in ("arms", "labels", "thumbnails", "explained", "achieved", "curves", "confusion", "verdict", "facts"):
        assert getattr(again.targets["digits"], name) == getattr(found.targets["digits"], name), name
    assert again.source == found.source
