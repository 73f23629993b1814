"""The speed and the exactness of the resampler, each compared with a named peer.

  python -m benchmarks.resampler            all three
  python -m benchmarks.resampler planning   one of copy, distance, planning

copy: a materialised sample compared with a plain Beam copy of as many records, in one process and in turns.
distance: L1 distance of a sample's label distribution from the target prior, compared with other samplers.
planning: time and peak memory from an index file to a plan; each size runs in a process of its own.
"""

import argparse
import concurrent.futures
import functools
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import data, executors, peak_memory
from benchmarks.turns import in_turns, timed
from components.artifacts import plan
from components.artifacts.label_prior import LabelPrior
from components.importance_resampler import matchers
from components.importance_resampler.labels_table import labels_table
from components.importance_resampler.matchers.matcher import Inputs
from components.importance_resampler.matchers.same_distribution import same_distribution
from components.importance_resampler.pairs import Pairs
from pipeline.config.beam import InMemory


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="copy, distance, planning; all by default")
    parser.add_argument("--records", type=int, default=20_000, help="copy: records of the source, and of the sample")
    parser.add_argument("--record-bytes", type=int, default=5_000, help="copy: their size")
    parser.add_argument("--repeats", type=int, default=3, help="copy: number of turns; the median is printed")
    parser.add_argument("--labels", type=int, default=200, help="distance: labels of the source")
    parser.add_argument("--examples", type=int, default=100_000, help="distance: examples of the source")
    parser.add_argument("--n", type=int, default=10_000, help="distance: size of the sample")
    parser.add_argument(
        "--pairs", type=float, nargs="+", default=[1e5, 1e6, 1e7], help="planning: (example, label) pairs"
    )
    parser.add_argument("--plan-labels", type=int, default=18_291, help="planning: labels of the source")
    parser.add_argument("--labels-per-example", type=float, default=1.26, help="planning: 1 or more; JFT has 1.26")
    parser.add_argument("--matcher", choices=["same_distribution", "elastic_distribution", "uniform_subsample"])
    args = parser.parse_args(arguments)
    unknown = set(args.parts) - {"copy", "distance", "planning"}
    if unknown:
        parser.error(f"parts: {', '.join(sorted(unknown))}; there are copy, distance and planning")
    # First, because the peak memory of a child process starts at that of its parent.
    if "planning" in (args.parts or ["planning"]):
        measure_planning(
            [int(pairs) for pairs in args.pairs],
            args.plan_labels,
            args.labels_per_example,
            args.matcher or "same_distribution",
        )
    if "copy" in (args.parts or ["copy"]):
        measure_copy(args.records, args.record_bytes, args.repeats)
    if "distance" in (args.parts or ["distance"]):
        measure_distance(args.labels, args.examples, args.n)


def make_skewed(num_labels: int, rng: np.random.Generator, power: float = 1.2) -> np.ndarray:
    """Returns a distribution whose masses fall as a power of the label's rank; ranks are random, no mass is 0."""
    mass = rng.permutation(1 / np.arange(1, num_labels + 1) ** power)
    return mass / mass.sum()


def measure_copy(records: int, record_bytes: int, repeats: int) -> None:
    """Prints the times of a materialised sample and of a plain copy, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        source = _write_source(folder, records, record_bytes)
        tasks = {"resample": _resample, "plain copy": _plain_copy}

        def measured(task: Callable[[str, str, int], None]) -> tuple[float, float]:
            return timed(lambda: task(source, tempfile.mkdtemp(dir=folder), records))

        times = in_turns({name: functools.partial(measured, task) for name, task in tasks.items()}, repeats)
    wall, cpu = ({name: [found[which] for found in times[name]] for name in tasks} for which in range(2))
    print(f"copy: {records:,} records of {record_bytes:,} bytes, in 4 shards, medians of {repeats}")
    for name in tasks:
        seconds = statistics.median(wall[name])
        turns = ", ".join(f"{value:.2f}" for value in wall[name])
        print(
            f"  {name:<12}{seconds:7.2f} s ({turns})  {records / seconds:7,.0f} records/s"
            f"  {statistics.median(cpu[name]):6.2f} s of CPU"
        )
    ratios = [statistics.median(of["resample"]) / statistics.median(of["plain copy"]) for of in (wall, cpu)]
    print(f"  ratio {ratios[0]:.2f}, of CPU time {ratios[1]:.2f} (to reach: at most 1.25)")


def _write_source(folder: str, records: int, record_bytes: int, num_labels: int = 100) -> str:
    from components import storage
    from components.artifacts import label_prior
    from components.example_gen import testing

    rng = np.random.default_rng(0)
    names = tuple(f"label {y}" for y in range(num_labels))
    labels = rng.choice(num_labels, records, p=make_skewed(num_labels, rng))
    items = [
        testing.make_record(_image(record_bytes, rng), (int(label),), f"example {row}", split="train", names=names)
        for row, label in enumerate(labels)
    ]
    data.write_examples(folder, items, shards=4)
    counts = np.bincount(labels, minlength=num_labels)
    prior = LabelPrior(names, counts, make_skewed(num_labels, rng), "mean_prediction", 2.0, 1)
    storage.write_table(f"{folder}/prior/{label_prior.FILE_NAME}", label_prior.to_table(prior))
    return folder


def _image(size: int, rng: np.random.Generator) -> bytes:
    """Returns a PNG of noise of about `size` bytes, which compresses no further."""
    import PIL.Image

    side = max(1, round(size**0.5))
    return data.encode(PIL.Image.fromarray(rng.integers(0, 256, (side, side), np.uint8)), "PNG", compress_level=0)


def _resample(source: str, target: str, n: int) -> None:
    from tfx.types import standard_artifacts

    from components.artifacts.types import ExampleIndex, LabelPrior, ResamplePlan
    from components.importance_resampler import executor

    inputs = {
        "examples": executors.artifact(standard_artifacts.Examples, f"{source}/examples", "train"),
        "index": executors.artifact(ExampleIndex, f"{source}/index"),
        "label_prior": executors.artifact(LabelPrior, f"{source}/prior"),
    }
    outputs = {
        "plan": executors.artifact(ResamplePlan, f"{target}/plan"),
        "resampled_examples": executors.artifact(standard_artifacts.Examples, f"{target}/examples"),
    }
    settings = {"matcher": "same_distribution", "settings": "{}", "n": n, "seed": 0}
    executor.Executor(executors.context(target)).Do(
        inputs, outputs, {**settings, "materialise": 1, "shard_bytes": 1, "shards": 4}
    )


def _plain_copy(source: str, target: str, n: int) -> None:
    import apache_beam as beam

    del n  # it writes what it reads
    with beam.Pipeline(argv=InMemory().arguments()) as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromTFRecord(f"{source}/examples/Split-train/*")
            | beam.io.WriteToTFRecord(f"{target}/copy", num_shards=4)
        )


def measure_distance(num_labels: int, examples: int, n: int) -> None:
    """Prints the L1 distance of the drawn from the asked distribution, for this project's and three other samplers."""
    rng = np.random.default_rng(0)
    # A mild skew: rejection_resample writes pages of warnings if it rejects more than nine tenths.
    source, asked = (make_skewed(num_labels, rng, power=0.4) for _ in range(2))
    labels = np.concatenate([np.arange(num_labels), rng.choice(num_labels, examples, p=source)])
    counts = np.bincount(labels, minlength=num_labels)
    samplers: dict[str, Callable] = {
        "this project's same_distribution": _draw_same_distribution,
        "tf.data rejection_resample": _draw_by_rejection,
        "numpy choice with replacement": _draw_by_choice,
        "a coin flip per element": _draw_by_coin_flips,
    }
    print(f"distance: {num_labels} labels, {len(labels):,} examples, n = {n:,}; L1 = Σ |achieved − asked|")
    print(f"  {'the source itself':<32}{np.abs(counts / counts.sum() - asked).sum():9.5f}")
    for name, sampler in samplers.items():
        start = time.perf_counter()
        drawn = sampler(labels, asked, n)
        seconds = time.perf_counter() - start
        l1 = np.abs(drawn / drawn.sum() - asked).sum()
        print(f"  {name:<32}{l1:9.5f}  {int(drawn.sum()):8,} examples  {seconds:7.2f} s")


def _draw_same_distribution(labels: np.ndarray, asked: np.ndarray, n: int) -> np.ndarray:
    rows = np.arange(len(labels), dtype=np.int32)
    pairs = Pairs(rows, labels.astype(np.int32), rows.astype(np.uint64), len(asked))
    return pairs.label_sums(same_distribution(pairs, asked, n=n, seed=0).copies)


def _draw_by_choice(labels: np.ndarray, asked: np.ndarray, n: int) -> np.ndarray:
    chances = (asked / np.bincount(labels, minlength=len(asked)))[labels]
    rows = np.random.default_rng(1).choice(len(labels), n, p=chances / chances.sum())
    return np.bincount(labels[rows], minlength=len(asked))


def _draw_by_coin_flips(labels: np.ndarray, asked: np.ndarray, n: int) -> np.ndarray:
    expected = (n * asked / np.bincount(labels, minlength=len(asked)))[labels]
    copies = np.floor(expected) + (np.random.default_rng(1).random(len(labels)) < expected % 1)
    return np.bincount(labels, weights=copies, minlength=len(asked))


def _draw_by_rejection(labels: np.ndarray, asked: np.ndarray, n: int) -> np.ndarray:
    import tensorflow as tf

    counts = np.bincount(labels, minlength=len(asked))
    order = np.random.default_rng(1).permutation(len(labels))
    drawn = (
        tf.data.Dataset.from_tensor_slices(labels[order].astype(np.int32))
        .repeat()
        .rejection_resample(
            lambda label: label, asked.astype(np.float32), (counts / counts.sum()).astype(np.float32), 1
        )
        .map(lambda label, _: label)
        .take(n)
        .batch(n)
    )
    return np.bincount(next(drawn.as_numpy_iterator()), minlength=len(asked))


def measure_planning(sizes: list[int], num_labels: int, labels_per_example: float, matcher: str) -> None:
    """Prints time and peak memory of planning, and how they grow from one size to the next."""
    print(f"planning: {matcher}, {num_labels:,} labels, {labels_per_example} labels an example, n = half the pairs")
    before = None
    with tempfile.TemporaryDirectory() as folder:
        for pairs in sizes:
            path = os.path.join(folder, f"{pairs}.parquet")
            _run_in_process(_write_index, path, pairs, num_labels, labels_per_example)
            read, planned, memory = _run_in_process(_plan, path, num_labels, matcher)
            line = f"  {pairs:>12,} pairs  read {read:6.2f} s  plan {planned:6.2f} s  peak {memory / 1e6:8.0f} MB"
            if before is not None:
                line += f"  pairs ×{pairs / before[0]:.0f}, plan ×{planned / before[1]:.1f}, "
                line += f"peak ×{memory / max(before[2], 1):.1f}"
            print(line, flush=True)
            before = pairs, planned, memory


def _run_in_process(function: Callable, *arguments):
    """Runs `function` in a process of its own, so that the peak memory is that of the function."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _write_index(path: str, pairs: int, num_labels: int, labels_per_example: float) -> None:
    rng = np.random.default_rng(0)
    examples = round(pairs / labels_per_example)
    first = rng.choice(num_labels, examples, p=make_skewed(num_labels, rng)).astype(np.int32)
    # The first `several` examples get a second label, which differs from their first.
    several = pairs - examples
    second = (first[:several] + rng.integers(1, num_labels, several)) % num_labels
    values = np.insert(first, np.arange(1, several + 1), second.astype(np.int32))
    offsets = np.concatenate([[0], np.cumsum(np.where(np.arange(examples) < several, 2, 1))]).astype(np.int32)
    keys = rng.permutation(np.arange(examples, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    pq.write_table(pa.table({"key": keys, "labels": pa.ListArray.from_arrays(offsets, values)}), path)


def _plan(path: str, num_labels: int, matcher: str) -> tuple[float, float, int]:
    """Returns seconds to read the index, seconds to plan, and bytes of memory at the peak of both."""
    target_prior = make_skewed(num_labels, np.random.default_rng(1))
    baseline = peak_memory.read_peak()
    start = time.perf_counter()
    table = pq.read_table(path)
    read = time.perf_counter()
    pairs = Pairs.of_index(table, num_labels)
    prior = LabelPrior(tuple(map(str, range(num_labels))), pairs.counts, target_prior, "mean_prediction", 2.0, 1)
    n = len(pairs) // 2
    sample = matchers.make_matcher(matcher).draw(Inputs(pairs, prior), n=n, seed=0)
    labels_table(sample, pairs, prior, {"matcher": matcher, "n": n, "seed": 0})
    plan.copies_table(sample.copies)
    return read - start, time.perf_counter() - read, peak_memory.read_peak() - baseline


if __name__ == "__main__":
    main()
