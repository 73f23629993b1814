"""Previews the data of a side: reads, checks and writes a sample as a run does."""

import collections
import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from components.artifacts import data_checks, data_report, findings, index, rejected
from components.artifacts.findings import Finding
from components.artifacts.vocabulary import Vocabulary
from components.example_gen import hierarchy_file, merging, runs, sample
from components.example_gen.examples import ImageChecker
from components.example_gen.readers.reader import Contents
from pipeline.config.data import Data
from pipeline.nodes.ingest import hierarchy_of
from pipeline.preview import estimate


@dataclasses.dataclass(frozen=True)
class DataPreview:
    """The preview of the source or a target.

    Attributes:
      labels: the vocabulary.
      sample: the sample that was read.
      label_counts: images of each label in train, int64 [labels]; float64 if they are expected values.
      is_counted: whether `label_counts` is of all images, not of the sample alone.
      rejected: share of all images that will be rejected, extrapolated from the sample of each split.
      findings: what is suspicious.
      stops: why a run would stop, a line for each reason.
      costs: the number of examples that a run will write, and what an example costs.
    """

    labels: Vocabulary
    sample: sample.Sample
    label_counts: np.ndarray
    is_counted: bool
    rejected: float
    findings: list[Finding]
    stops: list[str]
    costs: estimate.DataCosts


def preview_data(data: Data, images: int, perceptual_hashes: bool) -> DataPreview:
    """Reads a sample of `data` and returns its preview.

    Args:
      data: the data of a side.
      images: number of images to read from each of the data's own splits.
      perceptual_hashes: whether a run computes perceptual hashes.

    Raises:
      ValueError: the data are missing, differ from the configuration, or no image of the sample can be used.
    """
    reader = data.reader()
    with tempfile.TemporaryDirectory() as folder:
        contents = reader.open(os.path.join(folder, "work"))
        labels = hierarchy_file.apply_hierarchy(contents.vocabulary, hierarchy_of(data))
        check = ImageChecker(
            labels.names, data.max_pixels, perceptual_hashes, data.check, data.threads, data.scale_16_bit
        )
        stops = _list_errors(lambda: data_checks.check_labels(contents.label_counts or {}, labels.names))
        drawn = sample.draw_sample(reader, contents, check, images)
        if not drawn.examples:
            first = {row["reason"]: row for row in reversed(drawn.all_rejections)}
            told = "; ".join(f"{reason} ({row['source_id']}: {row['detail']})" for reason, row in sorted(first.items()))
            raise ValueError(f"{data.location}: all images of the sample are rejected: {told}; check the data")
        totals = _count_images(contents, drawn)
        examples = {split: round(count * _share(drawn.rows, drawn, split)) for split, count in totals.items()}
        costs = _measure(drawn, examples, labels.names, folder)
    failures = {
        split: [row for row in rows if row["reason"] != rejected.DUPLICATE_IMAGE]
        for split, rows in drawn.rejections.items()
    }
    reports = {split: data_report.report_split([index.table(rows)], len(labels)) for split, rows in drawn.rows.items()}
    label_counts, is_counted = reports["train"].label_counts, "train" in drawn.whole
    if contents.label_counts is not None and not is_counted:
        label_counts, is_counted = contents.label_counts["train"], True
    rejections = {split: collections.Counter(row["reason"] for row in rows) for split, rows in drawn.rejections.items()}
    sampled = [] if is_counted else [labels.names[label] for label in np.flatnonzero(label_counts)]
    whole = {split: reports[split] for split in drawn.whole}
    stops += _list_errors(
        lambda: data_checks.check_splits({split: len(report.keys) for split, report in whole.items()}, rejections),
        lambda: data_checks.check_labels({split: report.label_counts for split, report in whole.items()}, labels.names),
    )
    share = sum(count * _share(failures, drawn, split) for split, count in totals.items()) / sum(totals.values())
    if share > data.max_rejected:
        allowed = f"{100 * data.max_rejected:.2g}%"
        stops.append(f"max_rejected: {100 * share:.2g}% of all images cannot be taken, and {allowed} are allowed")
    summary = data_report.summarise(
        reports, rejections, labels.names, contents.findings, label_counts if is_counted else None
    )
    return DataPreview(
        labels=labels,
        sample=drawn,
        label_counts=label_counts,
        is_counted=is_counted,
        rejected=share,
        findings=[
            *findings.load(summary["findings"]),
            *(findings.list_names("one_label", sampled) if len(sampled) < data_checks.LEAST_LABELS else []),
        ],
        stops=list(dict.fromkeys(stops)),
        costs=costs,
    )


def _list_errors(*checks: Callable[[], None]) -> list[str]:
    """Returns the messages of the checks that fail."""
    found = []
    for check in checks:
        try:
            check()
        except ValueError as error:
            found.append(str(error))
    return found


def _count_images(contents: Contents, drawn: sample.Sample) -> dict[str, float]:
    """Returns the number of images of each split, estimated where it is unknown."""
    sizes = [row["bytes"] for row in drawn.all_rows]
    counts: dict[str, float] = {}
    for split, read in drawn.read.items():
        if split in drawn.whole:
            counts[split] = read
        elif contents.examples is None:
            counts[split] = contents.sizes[split] * len(sizes) / sum(sizes)
        else:
            counts[split] = contents.examples[split]
    return counts


def _share(rows: Mapping[str, Sequence], drawn: sample.Sample, split: str) -> float:
    """Returns the share of the images read from `split` that are in `rows`."""
    return len(rows[split]) / drawn.read[split] if drawn.read[split] else 0.0


def _measure(drawn: sample.Sample, examples: dict[str, int], names: tuple[str, ...], folder: str) -> estimate.DataCosts:
    """Writes the sample as a run does, on this machine, and returns the costs of an example."""
    start = time.perf_counter()
    writer = runs.RunWriter(folder, "sample")
    splits = list(drawn.rows)
    for item in drawn.examples:
        writer.add(splits.index(item.row["split"]), item)
    pieces = writer.finish()
    path, index_path, rejected_path = (os.path.join(folder, "split", name) for name in ("records", "index", "rejected"))
    record_bytes = index_bytes = 0
    for bucket in range(len(splits)):
        of_split = [piece for piece in pieces if piece.bucket == bucket]
        merging.write_shard(folder, of_split, path, index_path, rejected_path, names)
        record_bytes += os.path.getsize(path)
        index_bytes += os.path.getsize(index_path)
    written = len(drawn.examples)
    seconds = drawn.seconds / sum(drawn.read.values()) + (time.perf_counter() - start) / written
    return estimate.DataCosts(examples, seconds, record_bytes / written, index_bytes / written, len(names))
