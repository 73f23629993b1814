"""How fast the ExampleGen is next to a plain loop over the same files, and how much memory and disk it takes.

  python -m benchmarks.example_gen
  python -m benchmarks.example_gen --check header --images 20000
  python -m benchmarks.example_gen --memory 0.5 2 8 --records 1000000

JPEGs cut from scikit-learn's sample photographs, in a folder a class. The ExampleGen runs in Beam's in-memory mode with
one worker: it lists the folder, reads, checks each image, and writes shards with their index and report. The loop reads
the files one after the other and writes their Examples to one TFRecord file: for `check: full` it checks each image as
the ExampleGen does, which has to read all of its data; for `check: header` it looks up the size alone. With perceptual
hashes, it makes those too. All run in turns, because the machine may
have other work too; the median is given. A ratio of 1 means that all that the ExampleGen does besides costs nothing.
Beam takes 0.2 s to start, and waits up to 0.2 s at the end of a stage, whatever the number of images: of few of them,
quickly checked, this is a large part.

With --memory, or --records, no speed is compared: JPEGs of about 110 kB are ingested, as many as make these gigabytes,
and record files with as many images of 1 kB, each time in a process of its own.
"""

import argparse
import cProfile
import functools
import io
import itertools
import os
import pstats
import statistics
import tempfile
from collections.abc import Sequence

import PIL.Image

from benchmarks import data, peak_memory
from benchmarks.turns import in_turns, timed
from components import storage
from components.artifacts import index
from components.example_gen import component, examples
from components.example_gen.images import check as image_check
from components.example_gen.readers.folder import FolderReader
from components.example_gen.readers.tfrecords import TFRecordReader

_CLASSES = 10
_SPLITS = {"train": 0.9, "eval": 0.1}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--width", type=int, default=400, help="of the JPEGs, in pixels")
    parser.add_argument("--height", type=int, default=300)
    parser.add_argument("--check", choices=examples.CHECKS, nargs="*", default=examples.CHECKS, help="all by default")
    parser.add_argument("--repeats", type=int, default=5, help="turns, of which the median is given")
    parser.add_argument("--profile", action="store_true", help="print where the ExampleGen's time goes, and end")
    parser.add_argument("--memory", type=float, nargs="*", default=[], metavar="GB", help="of JPEGs, to ingest each")
    parser.add_argument("--records", type=int, default=0, help="images of 1 kB, to ingest too")
    parser.add_argument("--folder", help="where files go for as long as it takes; by default a temporary folder")
    args = parser.parse_args(arguments)
    if args.memory or args.records:
        _measure_memory(args.memory, args.records, args.folder)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        files = os.path.join(folder, "files")
        jpegs = data.cut_jpegs(args.images, (args.width, args.width), (args.height, args.height))
        size = data.write_class_folders(files, jpegs, _CLASSES)
        if args.profile:
            with cProfile.Profile() as profile:
                peak_memory.ingest(_properties(files, "full", False), os.path.join(folder, "profile"))
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
            return
        kinds = list(itertools.product(args.check, (False, True)))
        ways = {"loop": _timed_loop, "ExampleGen": _timed_ingestion}
        tasks = {
            (name, kind): functools.partial(way, files, folder, *kind) for kind in kinds for name, way in ways.items()
        }
        times = in_turns(tasks, args.repeats)
    # By the clock, and by CPU time.
    rates = {
        key: [args.images / statistics.median(column) for column in zip(*found, strict=True)]
        for key, found in times.items()
    }
    print(f"{args.images} JPEGs of {args.width} × {args.height} and {size / args.images / 1000:.0f} kB")
    for check, hashes in kinds:
        print(f"check: {check}{', perceptual hashes' if hashes else ''}")
        for name in ways:
            rate, cpu_rate = rates[name, (check, hashes)]
            print(f"  {name:<12}{rate:8,.0f} images/s{cpu_rate:10,.0f} images a CPU second")
        pairs = zip(rates["ExampleGen", (check, hashes)], rates["loop", (check, hashes)], strict=True)
        by_clock, by_cpu = (ours / loop for ours, loop in pairs)
        print(f"  ExampleGen / loop: {by_clock:.2f}, by CPU time: {by_cpu:.2f}")


def _measure_memory(gigabytes: Sequence[float], records: int, parent: str | None) -> None:
    for size in gigabytes:
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            files = os.path.join(folder, "files")
            total = peak_memory.write_folder(files, int(size * 1e9))
            _print_peak(f"{size:g} GB of JPEGs", total, peak_memory.measure(_properties(files), f"{folder}/run"))
    if records:
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            files = os.path.join(folder, "files")
            total = peak_memory.write_record_files(files, records)
            reader = TFRecordReader(
                tfrecords=f"{files}/*.rec", splits=_SPLITS, compression="none", image_key="image", label_key="label"
            )
            properties = component.SourceExampleGen(dataset=reader, max_rejected=0.0).exec_properties
            _print_peak(f"{records:,} records", total, peak_memory.measure(properties, f"{folder}/run"))


def _print_peak(what: str, total: int, peak: peak_memory.Peak) -> None:
    print(
        f"{what}: {total / 1e9:.2f} GB of images in {peak.seconds:.0f} s, peak memory {peak.memory / 1e9:.2f} GB, "
        f"working files / images: {peak.working / total:.2f}",
        flush=True,
    )


def _properties(files: str, check: str = "full", hashes: bool = False) -> dict:
    reader = FolderReader(folder=files, splits=_SPLITS)
    node = component.SourceExampleGen(dataset=reader, max_rejected=0.0, check=check, perceptual_hashes=hashes)
    return node.exec_properties


def _timed_ingestion(files: str, folder: str, check: str, hashes: bool) -> tuple[float, float]:
    properties = _properties(files, check, hashes)
    with tempfile.TemporaryDirectory(dir=folder) as to:
        return timed(lambda: peak_memory.ingest(properties, to))


def _timed_loop(files: str, folder: str, check: str, hashes: bool) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(dir=folder) as to:
        return timed(lambda: _loop(files, to, check, hashes))


def _loop(files: str, to: str, check: str, hashes: bool) -> None:
    names = tuple(sorted(os.listdir(files)))

    def records():
        for label, name in enumerate(names):
            for file in sorted(os.listdir(os.path.join(files, name))):
                with open(os.path.join(files, name, file), "rb") as opened:
                    image = examples.LabelledImage(opened.read(), (label,), f"{name}/{file}")
                found = _checked(image) if check == "full" else _copied(image)
                item = examples.index_example(found, "train", perceptual_hashes=hashes)
                yield examples.make_record(item.image, item.row, names)

    storage.write_records(os.path.join(to, "loop", "data"), records())


def _checked(image: examples.LabelledImage) -> examples.Example:
    return examples.check_example(image, index.content_hash(image.image), _CLASSES, image_check.MOST_PIXELS)


def _copied(image: examples.LabelledImage) -> examples.Example:
    with PIL.Image.open(io.BytesIO(image.image)) as header:
        content_hash = index.content_hash(image.image)
        found = image_check.CheckedImage(image.image, "jpeg", header.height, header.width, "jpeg")
        return examples.Example(image.source_id, image.labels, found, content_hash, False)


if __name__ == "__main__":
    main()
