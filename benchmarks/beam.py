"""What Beam's runners take beside the in-memory one, for the ingestion and the prediction of the same images.

  python -m benchmarks.beam
  python -m benchmarks.beam --runners in_memory processes-1 processes-2

`job-service` is Beam's own job service with a pool of workers, as processes of an environment that has only the wheel;
`processes-N` are N worker processes on this machine. JPEGs cut from scikit-learn's sample photographs are ingested with
`check: full`, and predicted by a network with random weights. All run in turns on one machine, because it may have
other work too; the median is given. A ratio of 1 means that a runner takes as long as the in-memory one. Workers import
for some seconds before they begin, with each job: of few images, this is most of the time.
"""

import argparse
import contextlib
import functools
import os
import pathlib
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence

from benchmarks import beam_workers, data, peak_memory, predictor
from benchmarks.turns import in_turns, timed
from components.example_gen import component
from components.example_gen.readers.folder import FolderReader
from pipeline.config.beam import InMemory, MultiProcessing, Portable
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig

_REFERENCE, _SERVICE = "in_memory", "job-service"
_CLASSES = 4
_BATCH_SIZE = 32
_SHARDS = 8


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000, help="to ingest")
    parser.add_argument("--predictions", type=int, default=512, help="images to predict")
    parser.add_argument("--backbone", default="inception_v3")
    parser.add_argument("--size", type=int, default=150, help="side of the JPEGs and of the network's input, in pixels")
    parser.add_argument("--runners", nargs="+", default=[_REFERENCE, _SERVICE, "processes-1", "processes-2"])
    parser.add_argument("--repeats", type=int, default=3, help="turns, of which the median is given")
    args = parser.parse_args(arguments)
    if _REFERENCE not in args.runners:
        parser.error(f"--runners: {_REFERENCE} is the reference; add it")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        beam = {name: stack.enter_context(_start(name, pathlib.Path(folder))) for name in args.runners}
        work = {"ingestion": _prepare_ingestion(folder, args), "prediction": _prepare_prediction(folder, args)}
        tasks = {
            (what, name): functools.partial(timed, functools.partial(task, given))
            for what, task in work.items()
            for name, given in beam.items()
        }
        times = in_turns(tasks, args.repeats, warm_up=False)
    seconds = {key: statistics.median(wall for wall, _ in found) for key, found in times.items()}
    for what, count in (("ingestion", args.images), ("prediction", args.predictions)):
        print(f"{what} of {count} JPEGs of {args.size} × {args.size}")
        for name in beam:
            ratio = seconds[what, name] / seconds[what, _REFERENCE]
            print(f"  {name:<14}{seconds[what, name]:7.1f} s   {name} / {_REFERENCE}: {ratio:.2f}")
        if {"processes-1", "processes-2"} <= beam.keys():
            scaling = seconds[what, "processes-1"] / seconds[what, "processes-2"]
            print(f"  two processes are {scaling:.2f} times as fast as one")


@contextlib.contextmanager
def _start(name: str, folder: pathlib.Path) -> Iterator[list[str]]:
    """Starts what a runner needs, and yields the arguments of Beam."""
    if name == _SERVICE:
        python = beam_workers.make_environment(folder)
        with (
            beam_workers.run_job_service(python, folder) as service,
            beam_workers.run_worker_pool(python, folder) as (pool, _),
        ):
            yield Portable(runner="portable", job_endpoint=service, worker_pool=pool).arguments()
    elif name == _REFERENCE:
        yield InMemory().arguments()
    else:
        yield MultiProcessing(runner="multi_processing", workers=int(name.removeprefix("processes-"))).arguments()


def _prepare_ingestion(folder: str, args: argparse.Namespace) -> Callable[[Sequence[str]], None]:
    files = os.path.join(folder, "files")
    data.write_class_folders(files, data.cut_jpegs(args.images, (args.size, args.size)), _CLASSES)
    reader = FolderReader(folder=files, splits={"train": 0.9, "eval": 0.1})
    properties = component.SourceExampleGen(dataset=reader, max_rejected=0.0).exec_properties

    def ingest(beam: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as to:
            peak_memory.ingest(properties, to, beam)

    return ingest


def _prepare_prediction(folder: str, args: argparse.Namespace) -> Callable[[Sequence[str]], None]:
    image = ImageConfig(size=args.size, channels=3)
    model = classifier.build(Backbone(name=args.backbone).build(image), _CLASSES)
    jpegs = list(data.cut_jpegs(args.predictions, (args.size, args.size)))
    inputs = predictor.write_inputs(folder, jpegs, _SHARDS, model, image)
    return lambda beam: predictor.predict(folder, inputs, _BATCH_SIZE, beam=beam)


if __name__ == "__main__":
    main()
