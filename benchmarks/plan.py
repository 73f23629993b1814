"""What it costs to train from a plan: the Trainer's input pipeline alone, decoding included, in images a second.

  python -m benchmarks.plan

evaluation: all of the source by a plan that takes every example once, against the same source without a plan. The
  difference is the evaluation of the plan.
sample: a matched sample by its plan, straight from the source's shards, against the same sample materialised. The plan
  also has to read past what it does not take, so this depends on how large a part of the source the sample is.
"""

import argparse
import io
import os
import statistics
import tempfile
import time

import numpy as np
import PIL.Image
import sklearn.datasets

from components import storage
from components.artifacts import plan
from components.example_gen import testing
from trainer.data import input_pipeline
from trainer.models.backbone import Image
from trainer.recipes import Recipe

_BATCH, _EPOCHS = 100, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=20_000, help="of the source")
    parser.add_argument("--n", type=int, default=10_000, help="of the sample")
    parser.add_argument("--size", type=int, default=96, help="of the JPEGs, in pixels")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5, help="turns, of which the median is given")
    args = parser.parse_args()
    image = Image(size=args.size, channels=3)
    rng = np.random.default_rng(0)
    copies = np.bincount(rng.choice(args.examples // 2, args.n), minlength=args.examples).astype(np.int32)
    with tempfile.TemporaryDirectory() as folder:
        records = _records(args.examples, args.size, rng)
        source = _write(folder, "source", records, args.shards)
        sample = [record for record, times in zip(records, copies, strict=True) for _ in range(times)]
        sample = _write(folder, "sample", [sample[i] for i in rng.permutation(len(sample))], args.shards)
        all_once = _write_plan(folder, "all", np.ones_like(copies), args.shards)
        drawn = _write_plan(folder, "drawn", copies, args.shards)
        tasks = {
            "no plan": (source, None, args.examples),
            "plan of all": (source, all_once, args.examples),
            "materialised": (sample, None, args.n),
            "plan of the sample": (source, drawn, args.n),
        }
        rates: dict[str, list[float]] = {name: [] for name in tasks}
        for turn in range(args.repeats + 1):
            for name, task in tasks.items():
                rate = _rate(image, *task)
                if turn:  # the first turn fills the page cache
                    rates[name].append(rate)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"{name:<20}{rate:9,.0f} images/s")
    print(
        f"evaluation of the plan: {100 * (medians['no plan'] / medians['plan of all'] - 1):.1f}% of the pipeline's time"
    )
    print(f"from the plan / materialised: {medians['plan of the sample'] / medians['materialised']:.3f}")


def _rate(image: Image, records: str, plans: str | None, count: int) -> float:
    recipe = Recipe(steps=1, batch_size=_BATCH, learning_rate=0.1)
    batches = input_pipeline.training_batches([records], image, recipe, seed=0, plan_pattern=plans)
    start = time.perf_counter()  # before the shuffle buffer is filled, which reads most of the shards
    count = sum(1 for _ in batches.take(_EPOCHS * count // _BATCH))
    return count * _BATCH / (time.perf_counter() - start)


def _records(count: int, size: int, rng: np.random.Generator) -> list[bytes]:
    photographs = [PIL.Image.fromarray(photo) for photo in sklearn.datasets.load_sample_images().images]
    records = []
    for i in range(count):
        left, top = int(rng.integers(0, 640 - size)), int(rng.integers(0, 427 - size))
        file = io.BytesIO()
        photographs[i % 2].crop((left, top, left + size, top + size)).save(file, "JPEG")
        records.append(testing.keyed(file.getvalue(), (0,), str(i), split="train", names=("x",)).record)
    return records


def _write(folder: str, name: str, records: list[bytes], shards: int) -> str:
    for shard in range(shards):
        file = storage.shard_name("data_tfrecord", shard, shards)
        storage.write_records(os.path.join(folder, name, file), records[shard::shards])
    return os.path.join(folder, name, "*")


def _write_plan(folder: str, name: str, copies: np.ndarray, shards: int) -> str:
    for shard in range(shards):
        file = storage.shard_name("copies", shard, shards, ".parquet")
        storage.write_table(os.path.join(folder, name, file), plan.copies_table(copies[shard::shards]))
    return os.path.join(folder, name, "*")


if __name__ == "__main__":
    main()
