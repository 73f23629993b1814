"""A sample of a side's data, read, checked and written as a run does it, and what is found in it."""

import dataclasses
import os
import pickle
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np

from components import sharding, storage
from components.artifacts import data_report, index, rejected
from components.artifacts.vocabulary import Vocabulary
from components.example_gen import hierarchy_file, sample
from components.example_gen.examples import ImageChecker
from components.example_gen.readers.reader import Contents
from pipeline.config.data import Data
from pipeline.nodes.ingest import hierarchy_of
from pipeline.pipeline import local_beam_args
from pipeline.preview import estimate


@dataclasses.dataclass(frozen=True)
class DataPreview:
    """What was found on one side, the source or a target.

    Attributes:
      labels: its vocabulary.
      sample: what was read.
      label_counts: images of each label in train, int64 [labels]; float64 where they are only to be expected.
      is_counted: whether they are of all images, not of the sample alone.
      rejected: share of all images that will be rejected, by the sample's of each split.
      warnings: what stands in several splits, and labels that look the same, a line each.
      measured: how many examples a run will write, and what that costs.
    """

    labels: Vocabulary
    sample: sample.Sample
    label_counts: np.ndarray
    is_counted: bool
    rejected: float
    warnings: list[str]
    measured: estimate.MeasuredData


def preview_data(data: Data, images: int, perceptual_hashes: bool) -> DataPreview:
    """Returns what is found in a sample of `data`.

    Args:
      data: of a side.
      images: to read of each of the data's own splits.
      perceptual_hashes: whether a run makes them.

    Raises:
      ValueError: the data are not there, or not as the configuration says.
    """
    reader = data.reader()
    with tempfile.TemporaryDirectory() as folder:
        contents = reader.open(os.path.join(folder, "work"))
        labels = hierarchy_file.apply_hierarchy(contents.vocabulary, hierarchy_of(data))
        drawn = sample.draw_sample(
            reader, contents, ImageChecker(labels.names, data.max_pixels, perceptual_hashes), images
        )
        if not drawn.examples:
            reasons = sorted({row["reason"] for row in drawn.all_rejections})
            raise ValueError(f"{data.location}: no image of the sample can be taken: {', '.join(reasons)}")
        there = _images(contents, drawn)
        examples = {split: round(count * _share(drawn.rows, drawn, split)) for split, count in there.items()}
        measured = _measure(drawn, examples, len(labels), folder)
    faults = {
        split: [row for row in rows if row["reason"] != rejected.DUPLICATE_IMAGE]
        for split, rows in drawn.rejections.items()
    }
    counted = {split: data_report.report_split([index.table(rows)], len(labels)) for split, rows in drawn.rows.items()}
    label_counts, is_counted = counted["train"].label_counts, "train" in drawn.whole
    if contents.label_counts is not None and not is_counted:
        label_counts, is_counted = contents.label_counts["train"], True
    return DataPreview(
        labels,
        drawn,
        label_counts,
        is_counted,
        sum(count * _share(faults, drawn, split) for split, count in there.items()) / sum(there.values()),
        data_report.list_warnings(data_report.summarise(counted, {}, labels.names)),
        measured,
    )


def _images(contents: Contents, drawn: sample.Sample) -> dict[str, float]:
    """Returns how many images there are of each split, roughly."""
    sizes = [row["bytes"] for row in drawn.all_rows]
    found: dict[str, float] = {}
    for split, read in drawn.read.items():
        if split in drawn.whole:
            found[split] = read
        elif contents.examples is None:
            found[split] = contents.sizes[split] * len(sizes) / sum(sizes)
        else:
            found[split] = contents.examples[split]
    return found


def _share(rows: Mapping[str, Sequence], drawn: sample.Sample, split: str) -> float:
    """Returns how many of the images of `split` that were read are in `rows`."""
    return len(rows[split]) / drawn.read[split] if drawn.read[split] else 0.0


def _measure(drawn: sample.Sample, examples: dict[str, int], labels: int, folder: str) -> estimate.MeasuredData:
    """Writes some of the sample as a run does, by Beam on this machine, and returns what an example costs."""
    records, table = os.path.join(folder, "records"), os.path.join(folder, "index.parquet")
    idle = min(_beam_seconds([], folder) for _ in range(2))  # the first time, Beam imports more of itself
    seconds = max(0.0, _beam_seconds(drawn.examples, folder) - idle)
    storage.write_table(table, index.table(item.row for item in drawn.examples))
    written = len(drawn.examples)
    return estimate.MeasuredData(
        examples,
        drawn.seconds / sum(drawn.read.values()) + seconds / written,
        sum(map(os.path.getsize, storage.list_files(records))) / written,
        os.path.getsize(table) / written,
        labels,
    )


def _beam_seconds(items: Sequence[sharding.KeyedRecord], folder: str) -> float:
    sample_file = os.path.join(folder, "sample.pickle")  # what stands in the pipeline itself is slow to get to a worker
    os.makedirs(folder, exist_ok=True)
    with open(sample_file, "wb") as file:
        pickle.dump(items, file)
    start = time.perf_counter()
    with beam.Pipeline(argv=local_beam_args()) as pipeline:
        chunks = pipeline | beam.Create([sample_file]) | beam.FlatMap(_chunks)
        _ = chunks | sharding.WriteShards(os.path.join(folder, "records"), 1)
    return time.perf_counter() - start


def _chunks(sample_file: str) -> Iterator[tuple[int, list[sharding.KeyedRecord]]]:
    with open(sample_file, "rb") as file:
        return sharding.chunk_records(pickle.load(file), 1)
