"""Training straight from a plan, compared with training from the materialised sample.

  python -m benchmarks.draws            all three
  python -m benchmarks.draws reading    one of repeats, reading, opening

repeats: the share of a batch that repeats an image of the same batch, next to that of independent draws; by the number
  of copies of an example, also where one plan has 0 to 1,000.
reading: images a second of the Trainer's input pipeline, with decoding, from the plan and from the materialised sample
  in turns; and the bytes that are read for each example, next to the length of its record. For sources of which the
  plan takes a share, with records like photographs and with small ones.
opening: seconds and memory from the index and the plan to the draws, in a process of its own.
"""

import argparse
import concurrent.futures
import functools
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from unittest import mock

import numpy as np
import pyarrow as pa

from benchmarks import data, peak_memory
from benchmarks.turns import in_turns
from components import records, storage
from components.artifacts import plan
from components.example_gen import testing
from trainer.data import input_pipeline
from trainer.data.draws import Draws, open_draws
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe

PARTS = ("repeats", "reading", "opening")
_DIFFERENT = 200  # JPEGs; sources repeat them
_SHARDS = 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="repeats, reading, opening; all by default")
    parser.add_argument("--examples", type=int, default=5000, help="repeats: examples that are taken")
    parser.add_argument("--batch-size", type=int, default=1024, help="repeats: of the batches")
    parser.add_argument("--batches", type=int, default=100, help="repeats: how many")
    parser.add_argument("--photographs", type=int, default=2000, help="reading: records of about 110 kB")
    parser.add_argument("--small", type=int, default=200_000, help="reading: records of about 1 kB")
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0, 0.35, 0.05], help="reading: that are taken")
    # Fewer show how long tf.data takes to find its number of threads.
    parser.add_argument("--trained", type=int, nargs=2, default=[2560, 32_000], help="reading: images of a measurement")
    parser.add_argument("--repeats", type=int, default=5, help="reading: turns, of which the median is given")
    parser.add_argument("--rows", type=int, default=10_000_000, help="opening: rows of the index")
    args = parser.parse_args(arguments)
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"parts: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    parts = args.parts or PARTS
    # First, because the peak memory of a child process starts at that of its parent.
    if "opening" in parts:
        measure_opening(args.rows)
    if "repeats" in parts:
        measure_repeats(args.examples, args.batch_size, args.batches)
    if "reading" in parts:
        large, small = args.trained
        measure_reading("110 kB", (600, 400, 96), args.photographs, args.shares, large, 299, args.repeats)
        measure_reading("1 kB", (56, 56, 60), args.small, args.shares, small, 32, args.repeats)


def measure_repeats(examples: int, batch_size: int, batches: int) -> None:
    """Prints the share of repeats by the number of copies."""
    rng = np.random.default_rng(0)
    skewed = np.minimum(rng.lognormal(0, 3, examples), 1000).astype(np.int64)
    plans = {f"{count:,} copies": np.full(examples, count) for count in (1, 8, 30, 300, 1000)}
    plans[f"0 to {skewed.max():,} copies"] = skewed
    print(f"repeats in a batch of {batch_size:,} from {examples:,} examples")
    for name, copies in plans.items():
        shares = copies / copies.sum()
        independent = 1 - (1 - (1 - shares) ** batch_size).sum() / batch_size
        positions = np.arange(batches * batch_size)
        planned = _draws(copies[copies > 0]).rows(positions, seed=0)
        each = np.repeat(np.arange(examples), copies)  # a record for each copy
        materialised = each[_draws(np.ones(len(each), np.int64)).rows(positions, seed=0)]
        found = [
            1 - np.mean([len(np.unique(batch)) for batch in rows.reshape(batches, -1)]) / batch_size
            for rows in (planned, materialised)
        ]
        print(
            f"{name:<18} planned {found[0]:7.2%}  materialised {found[1]:7.2%}  independent {independent:7.2%}  "
            f"planned / independent: {found[0] / independent:.2f}"
        )


def measure_reading(
    name: str,
    jpegs: tuple[int, int, int],
    count: int,
    shares: Sequence[float],
    trained: int,
    size: int,
    repeats: int,
) -> None:
    """Prints the speed from the plan and from the materialised sample, and the bytes that are read.

    Args:
      name: of the records.
      jpegs: their width and height in pixels, and their quality.
      count: records of the source.
      shares: of them that the plan takes.
      trained: images of a measurement.
      size: of what the network sees, in pixels.
      repeats: turns.
    """
    width, height, quality = jpegs
    different = [
        testing.make_record(jpeg, (0,), str(i), split="train", names=("x",)).record
        for i, jpeg in enumerate(data.cut_jpegs(min(count, _DIFFERENT), (width,) * 2, (height,) * 2, quality))
    ]
    image = ImageConfig(size=size, channels=3)
    recipe = Recipe(steps=1, batch_size=min(64, trained), learning_rate=0.1)
    with tempfile.TemporaryDirectory() as folder:
        source = [different[i % len(different)] for i in range(count)]
        _write(os.path.join(folder, "source"), source)
        for share in shares:
            taken = np.random.default_rng(0).permutation(count)[: max(1, round(share * count))]
            # As many draws as the source has examples.
            copies = np.bincount(np.resize(taken, count), minlength=count).astype(np.int32)
            for shard in range(_SHARDS):
                path = os.path.join(folder, f"plan-{share}", f"copies-{shard}.parquet")
                storage.write_table(path, plan.copies_table(copies[shard::_SHARDS]))
            sample = os.path.join(folder, f"sample-{share}")
            order = np.random.default_rng(1).permutation(np.repeat(np.arange(count), copies))
            _write(sample, [source[i] for i in order])
            tasks = {
                "plan": _open(os.path.join(folder, "source"), os.path.join(folder, f"plan-{share}", "*")),
                "sample": _open(sample),
            }
            rates = in_turns(
                {key: functools.partial(_rate, drawn, image, recipe, trained) for key, drawn in tasks.items()}, repeats
            )
            plan_rate, sample_rate = (statistics.median(rates[key]) for key in tasks)
            read, long = _read_bytes(tasks["plan"], trained)
            print(
                f"{name}, {share:4.0%} wanted: {plan_rate:8,.0f} images/s  "
                f"from the plan / materialised: {plan_rate / sample_rate:.2f}  bytes read / record: {read / long:.2f}"
            )


def measure_opening(rows: int) -> None:
    """Prints seconds and memory of `open_draws` on an index of so many rows, half of which the plan takes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
    ):
        shards = max(1, rows // 100_000)
        lengths = np.full(rows // shards, 110_000)
        places = pa.table({"offset": records.compute_offsets(lengths), "length": lengths})
        for shard in range(shards):
            name = f"{shard:06d}"
            storage.write_table(os.path.join(folder, "index", f"{name}.parquet"), places)
            copies = np.random.default_rng(shard).integers(0, 2, len(lengths)) * 3
            storage.write_table(
                os.path.join(folder, "plan", f"{name}.parquet"), plan.copies_table(copies.astype(np.int32))
            )
            os.makedirs(os.path.join(folder, "records"), exist_ok=True)
            with open(os.path.join(folder, "records", name), "wb") as file:  # has the size, and no content
                file.truncate(int(lengths.sum() + len(lengths) * records.FRAME))
        seconds, size, held = pool.submit(_open_and_measure, folder).result()
    print(f"{rows:,} rows of index and plan: {seconds:.1f} s, peak {size / 1e6:,.0f} MB, {held / 1e6:,.0f} MB kept")


def _open_and_measure(folder: str) -> tuple[float, int, int]:
    storage.read_table(os.path.join(folder, "index", "000000.parquet"))  # what is imported at first does not count
    before, start = peak_memory.read_peak(), time.perf_counter()
    drawn = _open(folder, os.path.join(folder, "plan", "*"), records_folder="records")
    seconds = time.perf_counter() - start
    peak = peak_memory.read_peak() - before
    return seconds, peak, sum(column.nbytes for column in (drawn.file, drawn.offsets, drawn.lengths, drawn.ends))


def _draws(copies: np.ndarray) -> Draws:
    ones = np.ones(len(copies), np.int64)
    return Draws([""], ones, ones, ones, np.cumsum(copies))


def _write(folder: str, contents: list[bytes]) -> None:
    for shard in range(_SHARDS):
        own = contents[shard::_SHARDS]
        storage.write_records(os.path.join(folder, "data", f"data-{shard}"), own)
        lengths = np.array([len(record) for record in own], np.int64)
        table = pa.table({"offset": records.compute_offsets(lengths), "length": lengths})
        storage.write_table(os.path.join(folder, "index", f"index-{shard}.parquet"), table)


def _open(folder: str, plans: str | None = None, records_folder: str = "data") -> Draws:
    return open_draws(
        [os.path.join(folder, records_folder, "*")],
        index_pattern=os.path.join(folder, "index", "*"),
        plan_pattern=plans,
    )


def _rate(drawn: Draws, image: ImageConfig, recipe: Recipe, count: int) -> float:
    start = time.perf_counter()
    batches = input_pipeline.training_batches(drawn, image, recipe, seed=0)
    trained = sum(len(batch[0]) for batch in batches.take(count // recipe.batch_size))
    return trained / (time.perf_counter() - start)


def _read_bytes(drawn: Draws, count: int) -> tuple[int, int]:
    """Returns the bytes that the input pipeline reads for so many draws, and the lengths of their records."""
    read = 0
    read_range = storage.read_range

    def counted(path: str, start: int, size: int) -> bytes:
        nonlocal read
        read += size
        return read_range(path, start, size)

    window = max(1, min(input_pipeline.MOST_WINDOW, int(input_pipeline.WINDOW_BYTES / drawn.mean_bytes)))
    with mock.patch.object(storage, "read_range", counted):
        long = 0
        for start in range(0, count, window):
            rows = drawn.rows(np.arange(start, start + window), seed=0)
            long += sum(map(len, drawn.read(rows)))
    return read, long


if __name__ == "__main__":
    main()
