"""What `specialist data` tells of data that its sample covers is what an ingestion finds."""

import csv
import dataclasses
import json
import pathlib

import hypothesis
import numpy as np
import pydantic
import pytest
import tensorflow as tf
from hypothesis import strategies

from components.artifacts import data_report, findings, index, vocabulary
from pipeline.config.data import Data
from pipeline.preview import sample

OWN = ("train", "val")
SHARES = {"train": 0.6, "eval": 0.4}
LITTER = ("Thumbs.db", "@eaDir/1.png", "notes.txt", "")  # the last: a folder without anything


@dataclasses.dataclass(frozen=True)
class Image:
    """An image as the data have it; a negative value is a file that is none."""

    split: str
    label: str
    value: int


IMAGES = strategies.lists(
    strategies.builds(
        Image,
        strategies.sampled_from(OWN),
        strategies.sampled_from(["ant", "bee", "Bee", "cow"]),
        strategies.integers(-2, 40),
    ),
    min_size=6,
    max_size=30,
)


@dataclasses.dataclass(frozen=True)
class Described:
    """Images, and how they are described.

    Attributes:
      kind: of the reader.
      images: what there is.
      shares: whether the splits are shares; else they are the data's own.
      several_labels: whether an image may have several.
      litter: what else lies in the folder of the first label.
    """

    kind: str
    images: list[Image]
    shares: bool
    several_labels: bool
    litter: tuple[str, ...]

    def write(self, root: pathlib.Path, picture) -> Data:
        """Writes the images, and returns the configuration of them."""
        splits = SHARES if self.shares else {"train": "train", "eval": "val"}
        shared = {"splits": splits, "max_rejected": 1.0, "max_pixels": 100_000}
        several = {} if self.kind == "folder" else {"several_labels": self.several_labels}
        paths = []
        for number, image in enumerate(self.images):
            split = "" if self.shares and self.kind == "folder" else image.split
            path = root / split / image.label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(image.value) if image.value >= 0 else b"no image" * -image.value)
            paths.append(str(path.relative_to(root)))
        if self.kind == "folder":
            for name in self.litter:
                path = (root / paths[0]).parent / name if name else root / "empty" / "deep"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.mkdir(exist_ok=True) if not name else path.write_bytes(b"x")
            return _data(folder=str(root), **shared)
        if self.kind == "uris":
            for split in OWN if not self.shares else ("all",):
                lines = [
                    f"{path}\t{image.label}\n"
                    for path, image in zip(paths, self.images, strict=True)
                    if self.shares or image.split == split
                ]
                (root / f"{split}.list").write_text("".join(lines))
            return _data(uris=f"{root}/{'all' if self.shares else '{split}'}.list", **several, **shared)
        if self.kind == "manifest":
            with open(root / "list.csv", "w", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(["path", "label", "part"])
                rows.writerows([path, image.label, image.split] for path, image in zip(paths, self.images, strict=True))
            key = {} if self.shares else {"split_key": "part"}
            return _data(manifest=f"{root}/list.csv", **key, **several, **shared)
        for split in OWN:
            with tf.io.TFRecordWriter(f"{root}/{split}.rec") as writer:
                for path, image in zip(paths, self.images, strict=True):
                    if image.split == split:
                        writer.write(_record((root / path).read_bytes(), image.label))
        pattern = f"{root}/*.rec" if self.shares else f"{root}/{{split}}.rec"
        return _data(tfrecords=pattern, compression="none", **several, **shared)


def _record(image: bytes, label: str) -> bytes:
    features = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "image/class/label": tf.train.Feature(bytes_list=tf.train.BytesList(value=[label.encode()])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _data(**settings) -> Data:
    return pydantic.TypeAdapter(Data).validate_python(settings)


DESCRIBED = strategies.builds(
    Described,
    strategies.sampled_from(["folder", "uris", "manifest", "tfrecords"]),
    IMAGES,
    strategies.booleans(),
    strategies.booleans(),
    strategies.lists(strategies.sampled_from(LITTER), unique=True).map(tuple),
)


@pytest.mark.slow
@hypothesis.settings(max_examples=150, deadline=None, derandomize=True, print_blob=True)
@hypothesis.given(described=DESCRIBED)
def test_before_a_run_and_in_it_the_same_is_found(described, picture, generate, tmp_path_factory):
    data = described.write(tmp_path_factory.mktemp("data"), picture)
    try:
        shown = sample.preview_data(data, 1000, False)
    except ValueError as error:
        with pytest.raises(ValueError) as stopped:
            generate(data.reader(), max_rejected=data.max_rejected)
        hypothesis.event("an error")
        assert str(error) in str(stopped.value) or "all images of the sample are rejected" in str(error)
        return
    if shown.stops:
        with pytest.raises(ValueError) as stopped:
            generate(data.reader(), max_rejected=data.max_rejected)
        assert any(stop in str(stopped.value) for stop in shown.stops)
        hypothesis.event("would stop")
        return
    hypothesis.event(f"{described.kind}, {len(shown.findings)} findings")
    made = generate(data.reader(), max_rejected=data.max_rejected)
    assert vocabulary.loads((made.vocabulary / vocabulary.FILE_NAME).read_text()) == shown.labels
    summary = json.loads((made.index / data_report.SUMMARY_FILE).read_text())
    assert findings.load(summary["findings"]) == shown.findings
    assert summary["examples"] == shown.costs.examples
    for split in ("train", "eval"):
        rows = [row for shard in made.index_shards(split) for row in shard]
        assert _counts(rows, len(shown.labels)) == _counts(shown.sample.rows[split], len(shown.labels))
        assert {row["source_id"] for row in rows} == {row["source_id"] for row in shown.sample.rows[split]}
        rejected = sorted((row["source_id"], row["reason"]) for row in shown.sample.rejections[split])
        assert rejected == sorted(
            (row["source_id"], row["reason"]) for row in made.all_rejections() if row["split"] == split
        )


def _counts(rows: list[dict], labels: int) -> list[int]:
    table = index.table(rows)
    return np.asarray(index.label_counts(index.label_pairs(table["labels"], labels), labels)).tolist()
