"""The peak memory and the working files of an ingestion, in a process of its own.

python -m benchmarks.peak_memory FILE     (with the parameters of the ExampleGen as JSON; called by `measure`)
"""

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from benchmarks import data

_BASE_BYTES = 500_000_000  # of different pixels; larger data repeat them with other comments
_COMMENT = b"\xff\xfe\x00\x0a"  # a segment of a JPEG, with 8 bytes


@dataclasses.dataclass(frozen=True)
class Peak:
    """What an ingestion took.

    Attributes:
      memory: largest resident set, in bytes.
      working: largest sum of its working files, in bytes.
      seconds: by the clock, without the imports.
    """

    memory: int
    working: int
    seconds: float


def read_peak() -> int:
    """Returns the largest resident set of this process since its program began, in bytes.

    `getrusage` would count that of the process which started this one, too, as far as it was at the start.
    """
    with open("/proc/self/status", encoding="ascii") as file:
        (line,) = (line for line in file if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def write_folder(folder: str, total_bytes: int, width: int = 600, height: int = 400) -> int:
    """Writes JPEGs of about 110 kB, no two equal, to a folder a class, and returns the bytes of all files."""
    return data.write_class_folders(folder, _different_jpegs(total_bytes, width, height, quality=96), classes=10)


def write_record_files(folder: str, count: int, files: int = 10) -> int:
    """Writes record files with `count` Examples of about 1 kB, and returns the bytes of their images."""
    import tensorflow as tf

    os.makedirs(folder)
    (jpeg,) = data.cut_jpegs(1, (56, 56), quality=60)
    total = 0
    for number in range(files):
        with tf.io.TFRecordWriter(os.path.join(folder, f"{number}.rec")) as writer:
            for i in range(number, count, files):
                image = _commented(jpeg, i)
                total += len(image)
                features = {
                    "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
                    "label": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"%d" % (i % 10)])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
    return total


def measure(properties: dict, folder: str) -> Peak:
    """Runs the ExampleGen with these parameters in another process; its files go to `folder`."""
    os.makedirs(folder)
    path = os.path.join(folder, "parameters.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**properties, "working": os.path.join(folder, "working")}, file)
    working, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            working.append(_size(os.path.join(folder, "working")))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = subprocess.run([sys.executable, "-m", __name__, path], capture_output=True, text=True, check=False)
    finally:
        ended.set()
        watcher.join()
    if done.returncode:
        raise RuntimeError(f"the ingestion failed: {done.stderr[-2000:]}")
    memory, seconds = json.loads(done.stdout.splitlines()[-1])
    return Peak(memory, max(working), seconds)


def ingest(properties: dict, to: str, beam: Sequence[str] = ()) -> None:
    """Runs the ExampleGen with these parameters; its artifacts go to `to`. `beam` is as `executors.context` has it."""
    from tfx.types import standard_artifacts

    from benchmarks import executors
    from components.artifacts.types import ExampleIndex, LabelVocabulary, Rejected
    from components.example_gen import executor

    kinds = {
        "examples": standard_artifacts.Examples,
        "index": ExampleIndex,
        "vocabulary": LabelVocabulary,
        "rejected": Rejected,
    }
    outputs = {name: executors.artifact(kind, os.path.join(to, name)) for name, kind in kinds.items()}
    executor.Executor(executors.context(to, beam)).Do({}, outputs, properties)


def _different_jpegs(total_bytes: int, width: int, height: int, quality: int) -> Iterator[bytes]:
    base, number, written = [], 0, 0
    photos = data.cut_jpegs(min(_BASE_BYTES, total_bytes) // 100_000 + 1, (width, width), (height, height), quality)
    while written < total_bytes:
        if written < _BASE_BYTES and (jpeg := next(photos, None)) is not None:
            base.append(jpeg)
        else:
            jpeg = base[number % len(base)]
        yield _commented(jpeg, number)
        number += 1
        written += len(jpeg)


def _commented(jpeg: bytes, number: int) -> bytes:
    return jpeg[:2] + _COMMENT + number.to_bytes(8, "big") + jpeg[2:]


def _size(folder: str) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.path.getsize(os.path.join(path, name))
            except FileNotFoundError:  # it was renamed
                continue
    return total


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as opened:
        parameters = json.load(opened)
    from components.example_gen import executor  # noqa: F401 - so that imports are not timed

    start = time.perf_counter()
    ingest(parameters, os.path.join(os.path.dirname(sys.argv[1]), "artifacts"))
    print(json.dumps([read_peak(), time.perf_counter() - start]))
