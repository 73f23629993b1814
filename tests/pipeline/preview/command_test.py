"""`specialist data`: what it finds in a folder and in records, and what a person sees of it."""

import io
import os
import pathlib

import numpy as np
import PIL.Image
import pydantic
import pytest
import rich.console
import tensorflow as tf
import yaml

from components.artifacts import findings, vocabulary
from components.artifacts.findings import Finding
from components.example_gen import sample
from components.example_gen.examples import Indexed
from pipeline.config.data import Data
from pipeline.config.load import load
from pipeline.preview import command, estimate, show
from pipeline.preview import sample as preview_sample
from pipeline.preview.estimate import Cost
from pipeline.terminal.text import isolate

BIRDS, FISH = 60, 20


def data_of(**settings) -> Data:
    return pydantic.TypeAdapter(Data).validate_python(settings)


def picture(value: int, width: int = 24, image_format: str = "PNG") -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(value).integers(0, 256, (20, width, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(file, image_format)
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """80 images in a folder with a hierarchy, of which 4 are broken, and one that is in no class folder."""
    root = tmp_path_factory.mktemp("animals")
    for name, count in (("bird/owl", BIRDS), ("fish", FISH)):
        (root / name).mkdir(parents=True)
        for i in range(count):
            (root / name / f"{i:02d}.png").write_bytes(picture(i + 100 * len(name), 24 + i % 3))
    for i in range(0, BIRDS, 15):
        (root / "bird" / "owl" / f"{i:02d}.png").write_bytes(b"broken")
    (root / "loose.png").write_bytes(picture(9999))
    return root


@pytest.fixture(scope="module")
def settings(folder, tmp_path_factory) -> str:
    """The path of a configuration with the folder as its source."""
    target = tmp_path_factory.mktemp("target")
    for name in "ab":
        (target / name).mkdir()
        for i in range(12):
            (target / name / f"{i}.png").write_bytes(picture(2000 + i + 100 * ord(name)))
    content = {
        "name": "animals",
        "image": {"size": 16, "channels": 3},
        "backbone": {"name": "compact_cnn"},
        "source": {"folder": str(folder), "splits": {"train": 0.75, "eval": 0.25}, "max_rejected": 0.2},
        "targets": {
            "letters": {
                "data": {"folder": str(target), "splits": {"train": 0.5, "eval": 0.5}},
                "arms": ["entire_source", "same_distribution"],
            }
        },
        "classifier": {"preset": "small_classifier"},
        "pretrain": {"preset": "small_pretrain"},
        "finetune": {"preset": "small_finetune"},
        "resample": {"n": 100},
    }
    path = tmp_path_factory.mktemp("config") / "animals.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_all_of_a_folder(folder):
    found = preview_sample.preview_data(data_of(folder=str(folder), splits={"train": 0.75, "eval": 0.25}), 1000, False)
    assert found.sample.whole == {"train", "eval"} and found.is_counted
    assert sum(found.costs.examples.values()) == 76
    assert found.costs.examples == {split: len(rows) for split, rows in found.sample.rows.items()}
    in_train = [row["labels"][0] for row in found.sample.rows["train"]]
    assert found.label_counts.tolist() == [in_train.count(0), in_train.count(1)]
    assert found.costs.labels == 2 and found.costs.seconds_each > 0
    mean = sum(row["bytes"] for rows in found.sample.rows.values() for row in rows) / 76
    assert 0.9 * mean < found.costs.record_bytes < mean + 250  # with its features, and the frame around it
    assert 50 < found.costs.index_bytes < 500


def test_of_a_sample_the_listing_tells_the_labels(folder):
    found = preview_sample.preview_data(data_of(folder=str(folder), splits={"train": 0.75, "eval": 0.25}), 16, True)
    assert sum(found.sample.read.values()) == 16 and found.is_counted and not found.sample.whole
    assert (found.label_counts.tolist(), found.label_counts.dtype) == ([0.75 * BIRDS, 0.75 * FISH], np.float64)
    for split, share in (("train", 0.75), ("eval", 0.25)):
        taken = len(found.sample.rows[split]) / found.sample.read[split]
        assert found.costs.examples[split] == round(80 * share * taken)
    assert 1 <= sum(map(len, found.sample.rejections.values())) <= 2  # of four in the first sixty
    expected = sum(
        share * len(found.sample.rejections[split]) / found.sample.read[split]
        for split, share in (("train", 0.75), ("eval", 0.25))
    )
    assert found.rejected == pytest.approx(expected)


def test_of_records_only_the_bytes_are_known(tmp_path):
    names = [f"label-{i:04d}" for i in range(1200)]
    (tmp_path / "names.txt").write_text("\n".join(names))
    for split, count in (("train", 300), ("eval", 40)):
        with tf.io.TFRecordWriter(str(tmp_path / f"{split}.tfrecord")) as writer:
            for i in range(count):
                features = {
                    "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture(i)])),
                    "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[i % 7])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    data = data_of(
        tfrecords=str(tmp_path / "{split}.tfrecord"),
        splits={"train": "train", "eval": "eval"},
        names=str(tmp_path / "names.txt"),
        compression="none",
    )
    found = preview_sample.preview_data(data, 50, False)
    assert found.sample.read == {"train": 50, "eval": 40} and found.sample.whole == {"eval"}
    assert found.costs.examples["eval"] == 40
    assert found.costs.examples["train"] == pytest.approx(300, rel=0.1)
    assert not found.is_counted  # of train the first fifty alone were seen
    assert found.label_counts[:8].tolist() == [8, 7, 7, 7, 7, 7, 7, 0] and len(found.label_counts) == 1200


def test_of_a_whole_split_the_listing_is_exact(folder):
    own = data_of(folder=str(folder.parent), splits={"train": folder.name, "eval": folder.name})
    found = preview_sample.preview_data(own, 16, False)
    assert (found.label_counts.tolist(), found.label_counts.dtype) == ([BIRDS, FISH], np.int64)


def test_shares_are_of_all_images_whatever_the_splits_sizes(tmp_path):
    for split, good, bad in (("train", 200, 0), ("test", 8, 2)):
        for label in "xy":
            (tmp_path / split / label).mkdir(parents=True)
        for i in range(good + bad):
            (tmp_path / split / "xy"[i % 2] / f"{i}.png").write_bytes(picture(i) if i < good else b"")
    splits = {"train": "train[1%:]", "eval": "train[:1%]", "test": "test"}
    found = preview_sample.preview_data(data_of(folder=str(tmp_path), splits=splits), 20, False)
    assert len(found.sample.rejections["test"]) == 2 and found.sample.read["train"] == 20
    assert found.rejected == pytest.approx(2 / 210)  # and not 2 of the 30 that were read
    assert not found.sample.rows["eval"]  # of about two images none is among the twenty
    lines = lines_of(show.show_side, "source", "x", found)
    assert "  splits.eval: no image in the sample; try more --images" in lines
    assert found.stops == []


def test_an_empty_split_and_repeated_images(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as writer:
        for i in (0, 1, 2, 1, 1):
            features = {
                "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture(i)])),
                "image/class/label": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"%d" % i])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    splits = {"train": 0.999, "eval": 0.001}
    data = data_of(tfrecords=str(tmp_path / "x.tfrecord"), splits=splits, compression="none", max_rejected=0.0)
    found = preview_sample.preview_data(data, 20, False)
    assert found.costs.examples == {"train": 3, "eval": 0}
    assert [row["reason"] for row in found.sample.rejections["train"]] == ["duplicate_image"] * 2
    assert found.rejected == 0
    lines = lines_of(show.show_side, "source", "x", found)
    assert [stop.partition(":")[0] for stop in found.stops] == ["splits.eval"]
    assert lines[-1] == f"source: a run would stop: {found.stops[0]}"


def test_data_without_a_single_good_image(tmp_path):
    for name in ("train", "eval"):
        (tmp_path / name / "x").mkdir(parents=True)
        (tmp_path / name / "x" / "1.png").write_bytes(b"")
    data = data_of(folder=str(tmp_path), splits={"train": "train", "eval": "eval"})
    with pytest.raises(ValueError, match="all images of the sample are rejected: empty"):
        preview_sample.preview_data(data, 5, False)


def lines_of(show, *arguments) -> list[str]:
    text = io.StringIO()
    show(rich.console.Console(file=text, width=120), *arguments)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def row(labels: list[int], height: int = 30, width: int = 60, original_format: str = "jpeg") -> dict:
    found = {"original_format": original_format, "converted": original_format == "gif"}
    return {"labels": labels, "height": height, "width": width, "bytes": 1000 * height, **found}


def side(**changes) -> preview_sample.DataPreview:
    rows = {"train": [row([0]), row([2, 1]), row([2], 10, 40, "gif")], "eval": [row([2])]}
    rejections = {"train": [{"source_id": "[x].jpg\n", "reason": "empty", "detail": "0 bytes"}], "eval": []}
    drawn = sample.Sample(rows, [Indexed(b"", {})], rejections, 0.5, frozenset({"eval"}))
    labels = vocabulary.make_vocabulary([f"n{i}" for i in range(1200)], {"n0": ["above"], "n1": ["above"]})
    counts = np.zeros(1200, np.int64)
    counts[:40] = np.arange(40, 0, -1)
    costs = estimate.DataCosts({"train": 1_000_000, "eval": 1}, 1.0, 1.0, 1.0, 1200)
    return preview_sample.DataPreview(**{
        "labels": labels,
        "sample": drawn,
        "label_counts": counts,
        "is_counted": True,
        "rejected": 0.2,
        "findings": [Finding("same_id", 1, ("[b]\n",), "train, eval")],
        "stops": ["splits.eval: [x]"],
        "costs": costs,
        **changes,
    })  # fmt: skip


def test_what_is_shown_of_a_side():
    lines = lines_of(show.show_side, "source", "/data/[all]", side())
    assert lines[:9] == [
        "",
        "source  /data/[all]: a sample of 5 images read",
        "  split      examples    read    set aside",
        "  train    ~1,000,000       4            1",
        "  eval              1       1",
        "  labels    1,200, 1.25 an image (at most 2), under 1 nodes of a hierarchy",
        "  most      n0 40, n1 39, n2 38, n3 37, n4 36, n5 35, n6 34, n7 33  (in train)",
        "  fewest    n39 1, n38 2, n37 3, n36 4, n35 5, n34 6, n33 7, n32 8",
        "  formats   jpeg 75.0%, gif 25.0%; 1 to be converted",
    ]
    assert [line.split() for line in lines[10:14]] == [
        ["height", "10", "30", "30"],
        ["width", "40", "60", "60"],
        ["bytes", "10,000", "30,000", "30,000"],
        ["width/height", "2.00", "2.00", "4.00"],
    ]
    assert lines[14:] == [
        "  set aside: 1 of the images read",
        "  reason    images    for example",
        "  empty          1    [x].jpg\\n: 0 bytes",
        f"source: {findings.describe(side().findings[0], isolate)}",
        "source: a run would stop: splits.eval: [x]",
    ]


def test_few_labels_are_all_named():
    few = np.zeros(1200, np.int64)
    few[[3, 1]] = 2, 7
    lines = lines_of(show.show_side, "x", "y", side(label_counts=few, is_counted=False))
    assert "  images    n1 7, n3 2  (in the sample of train)" in lines
    assert not any("fewest" in line for line in lines)
    assert any("1,198 labels have no image in the sample of train: n0, n2, " in line for line in lines)


def test_counts_that_are_only_expected():
    expected = np.zeros(1200)
    expected[:3] = 0.2, 7.4, 0.6
    lines = lines_of(show.show_side, "x", "y", side(label_counts=expected))
    assert "  images    n1 7, n2 1, n0 <1  (expected in train)" in lines


def test_what_is_shown_of_the_costs():
    costs = [
        Cost("data", 1, 59.6, 1_500_000),
        Cost("classifier", 1, 119.0, 2e9),
        Cost("specialists", 12, 400 * 86_400.0, 10),
    ]
    lines = lines_of(show.show_costs, costs, 1_500_000, 4096, 21, "measured so")
    assert [line.split() for line in lines[3:]] == [
        ["data", "1", "60", "s", "1.5", "MB"],
        ["classifier", "1", "119", "s", "2.0", "GB"],
        ["specialists", "12", "400", "days", "10", "bytes"],
        ["all", "400", "days", "2.0", "GB"],
        ["plus", "1.5", "MB", "of", "working", "files", "while", "data", "are", "read"],
        ["and", "1.5", "GB", "of", "memory", "for", "each", "Beam", "worker", "that", "reads", "data"],
        ["plus", "4.1", "kB", "of", "checkpoints", "during", "a", "training"],
        ["plus", "a", "few", "seconds", "for", "each", "of", "21", "nodes"],
        ["measured", "so"],
    ]


def test_a_sum_with_something_unknown_is_not_known():
    lines = lines_of(show.show_costs, [Cost("a", 1, 1.0, 1), Cost("b", 1, None, None)], 0, None, 2, "")
    assert ["all", "?", "?"] in [line.split() for line in lines]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"), (119.4, "119 s"), (120, "2.0 min"), (1230, "20 min"), (7200, "2.0 h"), (36e4, "4.2 days"),
        (86400 * 365 * 1234, "1,234 years"),
    ],
)  # fmt: skip
def test_durations(seconds, text):
    lines = lines_of(show.show_costs, [Cost("a", 1, seconds, 0)], 0, None, 2, "")
    assert lines[3].split() == ["a", "1", *text.split(), "0", "bytes"]


def test_the_whole_command(settings, tmp_path):
    text = io.StringIO()
    console = rich.console.Console(file=text, width=120)
    folder = tmp_path / "small"
    counts = command.preview_config(load(settings), console, images=40, thumbnails_folder=str(folder), timing=True)
    shown = text.getvalue()
    assert shown.index("\nsource  ") < shown.index("\nletters  ") < shown.index("\nthumbnails: ")
    assert sum(line.startswith("source: ") and "loose.png" in line for line in shown.splitlines()) == 1
    assert "letters: " not in shown and counts == (0, 2)  # broken images, and one in no class
    assert f"thumbnails: {folder}/index.html" in shown.replace("\n", "")
    costs = [line.split()[0] for line in shown[shown.index("a new workspace, on this machine") :].splitlines()[2:9]]
    assert costs == ["data:", "data:", "classifier", "predictions", "specialists", "fine-tuning", "all"]
    assert "compact_cnn has " in shown and "?" not in shown
    assert {path.name for path in folder.iterdir()} == {"index.html", "source", "letters"}
    assert os.listdir(tmp_path) == ["small"]  # no workspace


def test_a_folder_of_others_is_refused_before_anything_is_read(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(preview_sample, "preview_data", lambda *arguments: pytest.fail("read"))
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ValueError, match="--thumbnails"):
        command.preview_config(
            load(settings), rich.console.Console(), images=1, thumbnails_folder=str(tmp_path), timing=False
        )


def test_a_control_that_leaves_nothing_out(settings):
    config = load(settings, ["targets.letters.arms=[entire_source, uniform_subsample]", "resample.n=50"])
    (reason,) = command.list_useless_controls(config, 50)
    assert reason.startswith("resample.n: 50, but the source has about 50 training images")
    assert command.list_useless_controls(config, 51) == []
    assert command.list_useless_controls(load(settings, ["resample.n=50"]), 50) == []
