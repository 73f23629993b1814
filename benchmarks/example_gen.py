"""How fast the ExampleGen is, next to a plain loop that copies the same files into the same Examples.

  python -m benchmarks.example_gen

JPEGs cut from scikit-learn's sample photographs, in a folder a class. The ExampleGen runs in Beam's in-memory mode with
one worker: it lists the folder, reads, checks each image, and writes shards with their index and report. The loop reads
the files one after the other and writes their Examples, unchecked, to one gzip TFRecord file with the same compression;
a second one checks each image as the ExampleGen does, which has to read all of a JPEG's data: what is left between them
is what Beam costs. All run in turns, because the machine may have other work too; the median is given. A ratio of 1
means that all that the ExampleGen does besides costs nothing.
"""

import argparse
import cProfile
import io
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable

import apache_beam as beam
import numpy as np
import PIL.Image
import sklearn.datasets
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts

from components import storage
from components.artifacts import index
from components.artifacts.types import ExampleIndex, LabelVocabulary, Rejected
from components.example_gen import component, examples, executor
from components.example_gen.images import check as image_check
from components.example_gen.readers.folder import FolderReader

_CLASSES = 10
_BEAM = [
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_running_mode=in_memory",
    "--direct_num_workers=1",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--width", type=int, default=400, help="of the JPEGs, in pixels")
    parser.add_argument("--height", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5, help="turns, of which the median is given")
    parser.add_argument("--profile", action="store_true", help="print where the ExampleGen's time goes, and end")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = os.path.join(folder, "files")
        size = _write_files(files, args.images, args.width, args.height)
        dataset = FolderReader(folder=files, splits={"train": 0.9, "eval": 0.1})
        properties = component.SourceExampleGen(dataset=dataset, max_rejected=0.0).exec_properties
        if args.profile:
            with cProfile.Profile() as profile:
                _example_gen(properties, os.path.join(folder, "profile"))
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
            return
        tasks = {
            "loop": lambda to: _loop(files, to, _copied),
            "loop, checked": lambda to: _loop(files, to, _checked),
            "ExampleGen": lambda to: _example_gen(properties, to),
        }
        seconds: dict[str, list[float]] = {name: [] for name in tasks}
        cpu: dict[str, list[float]] = {name: [] for name in tasks}
        for turn in range(args.repeats + 1):
            for name, task in tasks.items():
                start, cpu_start = time.perf_counter(), time.process_time()
                task(os.path.join(folder, f"{name}-{turn}"))
                if turn:  # the first turn fills the page cache
                    seconds[name].append(time.perf_counter() - start)
                    cpu[name].append(time.process_time() - cpu_start)
    rates = {name: args.images / statistics.median(times) for name, times in seconds.items()}
    cpu_rates = {name: args.images / statistics.median(times) for name, times in cpu.items()}
    print(f"{args.images} JPEGs of {args.width} × {args.height} and {size / args.images / 1000:.0f} kB")
    for name, rate in rates.items():
        cpu_rate = cpu_rates[name]
        print(
            f"{name:<15}{rate:8,.0f} images/s   / loop: {rate / rates['loop']:.2f}"
            f"{cpu_rate:10,.0f} images a CPU second   / loop: {cpu_rate / cpu_rates['loop']:.2f}"
        )


def _write_files(folder: str, count: int, width: int, height: int) -> int:
    """Returns the bytes of all files."""
    photographs = [PIL.Image.fromarray(photo) for photo in sklearn.datasets.load_sample_images().images]
    rng = np.random.default_rng(0)
    total = 0
    for i in range(count):
        left, top = int(rng.integers(0, 640 - width)), int(rng.integers(0, 427 - height))
        file = io.BytesIO()
        photographs[i % 2].crop((left, top, left + width, top + height)).save(file, "JPEG", quality=90)
        of_class = os.path.join(folder, f"class-{i % _CLASSES}")
        os.makedirs(of_class, exist_ok=True)
        with open(os.path.join(of_class, f"{i}.jpg"), "wb") as target:
            target.write(file.getvalue())
        total += len(file.getvalue())
    return total


def _loop(files: str, to: str, taken: Callable[[examples.LabelledImage], tuple]) -> None:
    names = tuple(sorted(os.listdir(files)))

    def records():
        for label, name in enumerate(names):
            for file in sorted(os.listdir(os.path.join(files, name))):
                with open(os.path.join(files, name, file), "rb") as opened:
                    image = examples.LabelledImage(opened.read(), (label,), f"{name}/{file}")
                example, facts = taken(image)
                yield examples.keyed(example, split="train", names=names, facts=facts).record

    storage.write_records(os.path.join(to, "data.gz"), records())


def _copied(image: examples.LabelledImage) -> tuple[examples.LabelledImage, examples.Facts]:
    with PIL.Image.open(io.BytesIO(image.image)) as header:
        content_hash = index.content_hash(image.image)
        return image, examples.Facts("jpeg", header.height, header.width, content_hash, "jpeg", False)


def _checked(image: examples.LabelledImage) -> tuple[examples.LabelledImage, examples.Facts]:
    return examples.taken(image, index.content_hash(image.image), _CLASSES, image_check.MOST_PIXELS)


def _example_gen(properties: dict, to: str) -> None:
    outputs = {
        "examples": standard_artifacts.Examples(),
        "index": ExampleIndex(),
        "vocabulary": LabelVocabulary(),
        "rejected": Rejected(),
    }
    for name, artifact in outputs.items():
        artifact.uri = os.path.join(to, name)
    context = base_beam_executor.BaseBeamExecutor.Context(make_beam_pipeline_fn=lambda: beam.Pipeline(argv=_BEAM))
    executor.Executor(context).Do({}, {name: [artifact] for name, artifact in outputs.items()}, properties)


if __name__ == "__main__":
    main()
