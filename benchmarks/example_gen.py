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
import functools
import io
import os
import pstats
import statistics
import tempfile
from collections.abc import Callable, Sequence

import PIL.Image
from tfx.types import standard_artifacts

from benchmarks import data, executors
from benchmarks.turns import in_turns, timed
from components import storage
from components.artifacts import index
from components.artifacts.types import ExampleIndex, LabelVocabulary, Rejected
from components.example_gen import component, examples, executor
from components.example_gen.images import check as image_check
from components.example_gen.readers.folder import FolderReader

_CLASSES = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """RunWriter the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--width", type=int, default=400, help="of the JPEGs, in pixels")
    parser.add_argument("--height", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5, help="turns, of which the median is given")
    parser.add_argument("--profile", action="store_true", help="print where the ExampleGen's time goes, and end")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        files = os.path.join(folder, "files")
        jpegs = data.cut_jpegs(args.images, (args.width, args.width), (args.height, args.height))
        size = data.write_class_folders(files, jpegs, _CLASSES)
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

        def measured(task: Callable[[str], None]) -> tuple[float, float]:
            return timed(lambda: task(tempfile.mkdtemp(dir=folder)))

        times = in_turns({name: functools.partial(measured, task) for name, task in tasks.items()}, args.repeats)
    rates, cpu_rates = (
        {name: args.images / statistics.median(column[which] for column in found) for name, found in times.items()}
        for which in range(2)
    )
    print(f"{args.images} JPEGs of {args.width} × {args.height} and {size / args.images / 1000:.0f} kB")
    for name, rate in rates.items():
        cpu_rate = cpu_rates[name]
        print(
            f"{name:<15}{rate:8,.0f} images/s   / loop: {rate / rates['loop']:.2f}"
            f"{cpu_rate:10,.0f} images a CPU second   / loop: {cpu_rate / cpu_rates['loop']:.2f}"
        )


def _loop(files: str, to: str, taken: Callable[[examples.LabelledImage], examples.Example]) -> None:
    names = tuple(sorted(os.listdir(files)))

    def records():
        for label, name in enumerate(names):
            for file in sorted(os.listdir(os.path.join(files, name))):
                with open(os.path.join(files, name, file), "rb") as opened:
                    image = examples.LabelledImage(opened.read(), (label,), f"{name}/{file}")
                yield examples.make_record(taken(image), split="train", names=names).record

    storage.write_records(os.path.join(to, "data.gz"), records())


def _copied(image: examples.LabelledImage) -> examples.Example:
    with PIL.Image.open(io.BytesIO(image.image)) as header:
        content_hash = index.content_hash(image.image)
        found = image_check.CheckedImage(image.image, "jpeg", header.height, header.width, "jpeg")
        return examples.Example(image.source_id, image.labels, found, content_hash, False)


def _checked(image: examples.LabelledImage) -> examples.Example:
    return examples.check_example(image, index.content_hash(image.image), _CLASSES, image_check.MOST_PIXELS)


def _example_gen(properties: dict, to: str) -> None:
    kinds = {
        "examples": standard_artifacts.Examples,
        "index": ExampleIndex,
        "vocabulary": LabelVocabulary,
        "rejected": Rejected,
    }
    outputs = {name: executors.artifact(kind, os.path.join(to, name)) for name, kind in kinds.items()}
    executor.Executor(executors.context(to)).Do({}, outputs, properties)


if __name__ == "__main__":
    main()
