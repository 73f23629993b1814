"""The cost of training from a plan: images per second of the Trainer's input pipeline, with decoding.

  python -m benchmarks.plan

evaluation: the whole source with a plan that takes every example once, compared with the same source without a plan.
  The difference is the evaluation of the plan.
sample: a sample read from the source's shards by its plan, compared with the same sample materialised. Reading by
  plan also skips the examples that are not taken, so the result depends on the share of the source that is taken.
"""

import argparse
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from benchmarks import data
from benchmarks.turns import in_turns
from components import storage
from components.artifacts import plan
from components.example_gen import testing
from trainer.data import input_pipeline
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe

_EPOCHS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=20_000, help="number of examples of the source")
    parser.add_argument("--n", type=int, default=10_000, help="size of the sample")
    parser.add_argument("--size", type=int, default=96, help="side of the JPEGs, in pixels")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5, help="number of turns; the median is printed")
    args = parser.parse_args(arguments)
    image = ImageConfig(size=args.size, channels=3)
    rng = np.random.default_rng(0)
    copies = np.bincount(rng.choice(args.examples // 2, args.n), minlength=args.examples).astype(np.int32)
    with tempfile.TemporaryDirectory() as folder:
        records = [
            testing.make_record(jpeg, (0,), str(i), split="train", names=("x",)).record
            for i, jpeg in enumerate(data.cut_jpegs(args.examples, (args.size, args.size), quality=75))
        ]
        source = data.write_records(os.path.join(folder, "source"), records, args.shards)
        sample = [record for record, times in zip(records, copies, strict=True) for _ in range(times)]
        sample = [sample[i] for i in rng.permutation(len(sample))]
        sample = data.write_records(os.path.join(folder, "sample"), sample, args.shards)
        all_once = _write_plan(folder, "all", np.ones_like(copies), args.shards)
        drawn = _write_plan(folder, "drawn", copies, args.shards)
        tasks = {
            "no plan": (source, None, args.examples),
            "plan of all": (source, all_once, args.examples),
            "materialised": (sample, None, args.n),
            "plan of the sample": (source, drawn, args.n),
        }
        rates = in_turns(
            {name: functools.partial(_measure_rate, image, args.batch_size, *task) for name, task in tasks.items()},
            args.repeats,
        )
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"{name:<20}{rate:9,.0f} images/s")
    print(
        f"evaluation of the plan: {100 * (medians['no plan'] / medians['plan of all'] - 1):.1f}% of the pipeline's time"
    )
    print(f"from the plan / materialised: {medians['plan of the sample'] / medians['materialised']:.3f}")


def _measure_rate(image: ImageConfig, batch_size: int, records: str, plans: str | None, count: int) -> float:
    recipe = Recipe(steps=1, batch_size=batch_size, learning_rate=0.1)
    batches = input_pipeline.training_batches([records], image, recipe, seed=0, plan_pattern=plans)
    start = time.perf_counter()  # before the shuffle buffer is filled, which reads most of the shards
    count = sum(1 for _ in batches.take(_EPOCHS * count // batch_size))
    return count * batch_size / (time.perf_counter() - start)


def _write_plan(folder: str, name: str, copies: np.ndarray, shards: int) -> str:
    for shard in range(shards):
        file = storage.shard_name("copies", shard, shards, ".parquet")
        storage.write_table(os.path.join(folder, name, file), plan.copies_table(copies[shard::shards]))
    return os.path.join(folder, name, "*")


if __name__ == "__main__":
    main()
