"""Mistakes in how data are described, through the whole command: it stops before anything is computed from the data."""

import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

import pipeline
from components.example_gen import executor
from pipeline import pipeline as pipeline_module
from pipeline.config.load import load
from pipeline.place import Place
from pipeline.preview.sample import preview_data
from pipeline.runners import local
from pipeline.runners.local import State
from pipeline.terminal.errors import one_line

pytestmark = pytest.mark.slow

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
SHARES = {"train": 0.7, "eval": 0.3}
NAMES = ["ant", "bee", "cow"]
IMAGES = 24
Draw = Callable[[int], bytes]


def write_records(path: pathlib.Path, draw: Draw, labels: list[Any]) -> None:
    """Writes a record for each of `labels`, which are names, integers or lists of these."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, label in enumerate(labels):
            values = label if isinstance(label, list) else [label]
            if isinstance(values[0], int):
                feature = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
            elif isinstance(values[0], float):
                feature = tf.train.Feature(float_list=tf.train.FloatList(value=values))
            else:
                feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))
            image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[draw(number)]))
            features = tf.train.Features(feature={"image/encoded": image, "image/class/label": feature})
            writer.write(tf.train.Example(features=features).SerializeToString())


def records(labels: list[Any], **settings):
    """Returns a case with these labels in one file of records."""

    def write(folder: pathlib.Path, draw: Draw) -> dict:
        write_records(folder / "data.rec", draw, labels)
        (folder / "names.txt").write_text("\n".join(NAMES))
        names = {"names": str(folder / "names.txt")}
        return {"tfrecords": str(folder / "data.rec"), "compression": "none", **names, "splits": SHARES, **settings}

    return write


def manifest(header: str, row: Callable[[int], str], encoding: str = "utf-8"):
    """Returns a case with a CSV whose rows follow from the numbers of the images."""

    def write(folder: pathlib.Path, draw: Draw) -> dict:
        for number in range(IMAGES):
            (folder / f"{number}.png").write_bytes(draw(number))
        text = "".join(f"{line}\n" for line in [header, *map(row, range(IMAGES))])
        (folder / "list.csv").write_bytes(text.encode(encoding))
        return {"manifest": str(folder / "list.csv"), "splits": SHARES}

    return write


def shards(*numbers: int, empty: bool = False):
    """Returns a case with some of three shards, the last one without a byte if `empty`."""

    def write(folder: pathlib.Path, draw: Draw) -> dict:
        for number in numbers:
            labels = [NAMES[i % 2] for i in range(8)]
            write_records(folder / f"a-{number:05d}-of-00003", lambda i, n=number: draw(i + 8 * n), labels)
        if empty:
            (folder / "a-00002-of-00003").write_bytes(b"")
        compression = "gzip" if empty else "none"
        return {"tfrecords": str(folder / "a-*"), "compression": compression, "splits": SHARES}

    return write


def folder(paths: Callable[[int], str], broken: int = IMAGES, **settings):
    """Returns a case with a file for each number; those from `broken` on are no images."""

    def write(root: pathlib.Path, draw: Draw) -> dict:
        for number in range(IMAGES):
            path = root / paths(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw(number) if number < broken else b"no image" * number)
        return {"folder": str(root), "splits": {"train": "train", "eval": "val"}, **settings}

    return write


# Name → (what writes the data, the error, whether it is known before anything is read).
CASES: dict[str, tuple[Callable[[pathlib.Path, Draw], dict], str, bool]] = {
    "indices from 1": (
        records([1 + i % 3 for i in range(IMAGES)]),
        r"the labels are 1 to 3, but the 3 names in .* have the indices 0 to 2 .*; .* set first_label: 1$",
        False,
    ),
    "vectors": (
        records([[int(i % 3 == place) for place in range(3)] for i in range(IMAGES)]),
        r"^label_key: .* vectors of 3 numbers 0 and 1, .* set label_format: one_hot",
        False,
    ),
    "floating-point numbers": (
        records([float(i % 3) for i in range(IMAGES)]),
        r"^label_key: .* floating-point numbers, .*set label_format: index",
        False,
    ),
    "a name that is not there": (
        records([(*NAMES, "bea")[i % 4] for i in range(IMAGES)]),
        r"^label_key: .* the label 'bea' is not in .*; did you mean 'bee'\?$",
        False,
    ),
    "splits whose labels do not meet": (
        folder(lambda i: f"train/n{i % 2}/images/{i}.png" if i < 16 else f"val/images/{i}.png"),
        r"^splits\.eval: none of its labels \('images'\) is in train, which has 'n0', 'n1'; .*write a manifest$",
        False,
    ),
    "a single label": (
        manifest("path,label", lambda i: f"{i}.png,ant"),
        r"^labels: the data have 'ant' and no other; a classifier needs two labels",
        False,
    ),
    "a split without an image that can be read": (
        folder(lambda i: f"train/{NAMES[i % 2]}/{i}.png" if i < 22 else f"val/ant/{i}.png", 22, max_rejected=0.5),
        r"^splits\.eval: all of its 2 images were set aside \(not_an_image 2\)",
        False,
    ),
    "another encoding": (
        manifest("path,label,Größe", lambda i: f"{i}.png,{NAMES[i % 2]},3", "latin-1"),
        r"^manifest: line 1 of .* is not utf-8: .*set encoding: ",
        True,
    ),
    "a quote without the other": (
        manifest("path,label", lambda i: f"{i}.png,{'5' if i != 9 else chr(34) + '5'} inch"),
        r"^label_key: line 11 of .* the cell of column 'label' has 15 lines",
        True,
    ),
    "a shard that is not there": (shards(0, 2), r"^tfrecords: .*a-00001-of-00003 is not there", True),
    "a shard without a byte": (shards(0, 1, empty=True), r"^tfrecords: .*a-00002-of-00003: 0 bytes are no gzip", True),
}


@pytest.fixture
def draw(scene, encoded):
    def draw(number: int) -> bytes:
        return encoded(scene(number, 24, 20)).getvalue()

    return draw


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("case", CASES)
def test_a_mistake_stops_before_anything_is_computed(case, side, draw, tmp_path, monkeypatch):
    write, message, is_known = CASES[case]
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    good = manifest("path,label", lambda i: f"{i}.png,{NAMES[i % 2]}")
    data = {"good": good(tmp_path / "good", lambda number: draw(1000 + number)), "bad": write(tmp_path / "bad", draw)}
    source, target = ("bad", "good") if side == "source" else ("good", "bad")
    settings = {"data": data[target], "arms": ["entire_source", "same_distribution"], "push": "same_distribution"}
    overrides = [f"source={json.dumps(data[source])}", f"targets={json.dumps({'animals': settings})}"]
    config = load(DEMO, [*overrides, "image={size: 16, channels: 3}"])
    read = []
    ingest = executor.Executor.Do

    def counted(*arguments) -> None:
        read.append(1)
        ingest(*arguments)

    monkeypatch.setattr(executor.Executor, "Do", counted)
    workspace = tmp_path / "workspace"
    if is_known:
        with pytest.raises(ValueError, match=message):
            pipeline_module.create_pipeline(config, Place.local(str(workspace)))
        assert not read and not workspace.exists()
        return
    results = local.run(pipeline_module.create_pipeline(config, Place.local(str(workspace))))
    failed = {result.node: one_line(result.error) for result in results if result.state is State.FAILED}
    assert set(failed) == {"source-examples" if side == "source" else "animals-examples"}
    assert re.search(message, *failed.values())
    ran = {result.node for result in results if result.state in (State.DONE, State.REUSED)}
    assert ran <= {"source-examples", "animals-examples"}


def test_a_source_of_the_targets_images_is_refused_before_anything_is_trained(draw, tmp_path):
    good = manifest("path,label", lambda i: f"{i}.png,{NAMES[i % 2]}")
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    source, target = (good(tmp_path / name, draw) for name in ("source", "target"))
    settings = {"data": target, "arms": ["entire_source"]}
    overrides = [f"source={json.dumps(source)}", f"targets={json.dumps({'animals': settings})}"]
    config = load(DEMO, [*overrides, "image={size: 16, channels: 3}", "near_duplicates.enabled=true"])
    results = local.run(pipeline_module.create_pipeline(config, Place.local(str(tmp_path / "workspace"))))
    failed = {result.node: one_line(result.error) for result in results if result.state is State.FAILED}
    assert set(failed) == {"source-exclusions"}
    (message,) = failed.values()
    assert re.search(r"^near_duplicates: all \d+ images of the source's (train|eval) are near-duplicates of", message)
    assert not any("run_fn" in result.outputs or "model" in result.outputs for result in results)


def test_what_is_suspicious_is_told_before_a_run_and_at_its_end_in_the_same_words(draw, tmp_path, run):
    for number in range(40):
        for side, split in (("source", ("Training", "Test")[number % 2]), ("target", ("train", "val")[number % 2])):
            path = tmp_path / side / split / ("Ant", "ant", "bee")[number % 3 if number > 3 else 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw(number + 1000 * (side == "target")))
    for path in (
        "source/Test/bee/@eaDir/0.png",
        "source/extra/0.png",
        "target/train/bee/0.xml",
        "target/val/cow/1.png",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(draw(len(path)))
    (tmp_path / "source" / "Training" / "empty").mkdir()
    data = {"folder": str(tmp_path / "target"), "splits": {"train": "train", "eval": "val"}}
    source = {"folder": str(tmp_path / "source"), "splits": {"train": 0.7, "eval": 0.3}}
    settings = {"data": data, "arms": ["same_distribution"]}
    overrides = [
        *(f"source={json.dumps(source)}", f"targets={json.dumps({'animals': settings})}"),
        *("image={size: 16, channels: 3}", "resample.n=20", "prior.bootstrap=0"),
        *(f"{training}.steps=2" for training in ("classifier", "pretrain", "finetune")),
        *(f"{training}.batch_size=8" for training in ("classifier", "pretrain", "finetune")),
    ]
    _, found = run(DEMO, overrides, tmp_path / "workspace")
    kinds = {side: [finding.kind for finding in of_side] for side, (of_side, _) in found.findings.items()}
    assert kinds == {
        "source": ["pooled", "unused_folders", "empty_folders", "litter", "alike_case"],
        "animals": ["side_files", "without_train", "alike_case"],
    }
    for side, of_side in load(DEMO, overrides).datasets().items():
        assert preview_data(of_side, 1000, False).findings == found.findings[side][0]
