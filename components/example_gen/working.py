"""The working folder of an ingestion: the runs of the parts that are finished, from which another attempt goes on.

  <working>/<fingerprint>/lists/            what the reader writes for its workers
  <working>/<fingerprint>/runs/*.run        see components.example_gen.runs
  <working>/<fingerprint>/parts/<n>.json    of each part that is finished: its pieces, and what was counted
  <working>/<fingerprint>/outputs.json      where the attempt writes, whose files nobody can use until it has ended

The fingerprint is of all that decides the output, so that nothing of other data or other settings is ever gone on from.
"""

import collections
import dataclasses
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence

import tensorflow as tf

from components import storage
from components.example_gen.limit import Counts
from components.example_gen.runs import Piece

_OUTPUTS = "outputs.json"
_SPARE = 1.02  # what a file system takes besides
_ROW_BYTES = 100  # of an image in working files: its row of the index, and what finds equal images
_RECORD_BYTES = 400  # of an image in the output: what else an Example has, and its row of the index


@dataclasses.dataclass(frozen=True)
class Finished:
    """A part that is finished."""

    pieces: list[Piece]
    counts: Counts


@dataclasses.dataclass(frozen=True)
class Working:
    """The working folder of one ingestion; it can be sent to workers."""

    folder: str

    @property
    def lists(self) -> str:
        """A folder for the reader."""
        return os.path.join(self.folder, "lists")

    @property
    def runs(self) -> str:
        """The folder of the runs."""
        return os.path.join(self.folder, "runs")

    def part(self, number: int) -> Finished | None:
        """Returns a part if it is finished."""
        path = self._path(number)
        return _loads(storage.read_text(path)) if tf.io.gfile.exists(path) else None

    def finish(self, number: int, part: Finished) -> None:
        """Writes down that a part is finished: its runs are there."""
        storage.write_text(self._path(number), json.dumps(dataclasses.asdict(part)))

    def finished(self) -> Iterator[tuple[int, Finished]]:
        """Yields (number, part) of all parts that are finished."""
        for path in tf.io.gfile.glob(self._path("*")):
            yield int(os.path.basename(path).removesuffix(".json")), _loads(storage.read_text(path))

    def note_outputs(self, outputs: Sequence[str]) -> None:
        """Notes the URIs that this attempt writes to, so that the next one can delete them if this one is killed."""
        # Relative: in a copy of all of it, they are those of the copy.
        relative = [uri if storage.is_remote(uri) else os.path.relpath(uri, self.folder) for uri in outputs]
        storage.write_text(os.path.join(self.folder, _OUTPUTS), json.dumps(relative))

    def counts(self) -> Counts:
        """Returns what all parts that are finished gave."""
        return sum((part.counts for _, part in self.finished()), Counts())

    def delete(self) -> None:
        """Deletes all of it, when the ingestion has ended well."""
        tf.io.gfile.rmtree(self.folder)

    def _path(self, number: int | str) -> str:
        return os.path.join(self.folder, "parts", f"{number:>06}.json")


def begin(parent: str, decisive: Mapping[str, object], outputs: Sequence[str]) -> Working:
    """Returns the working folder of an ingestion, with the parts that an earlier attempt has finished.

    What no attempt can use any more is deleted: folders of other fingerprints, runs of parts that were not finished,
    and the outputs of attempts that were killed.

    Args:
      parent: folder of the node.
      decisive: all that decides the output, JSON-like.
      outputs: URIs of the artifacts of this attempt.
    """
    text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
    work = Working(os.path.join(parent, hashlib.sha256(text.encode()).hexdigest()[:16]))
    for note in tf.io.gfile.glob(os.path.join(parent, "*", _OUTPUTS)):
        folder = os.path.dirname(note)
        noted = json.loads(storage.read_text(note))
        noted = [uri if storage.is_remote(uri) else os.path.normpath(os.path.join(folder, uri)) for uri in noted]
        stale = [uri for uri in noted if uri not in outputs]
        for path in stale if folder == work.folder else [*stale, folder]:
            if tf.io.gfile.exists(path):
                tf.io.gfile.rmtree(path)
    used = {piece.run for _, part in work.finished() for piece in part.pieces}
    for path in tf.io.gfile.glob(os.path.join(work.runs, "*")):
        if os.path.basename(path) not in used:
            tf.io.gfile.remove(path)
    for uri in (work.lists, *outputs):
        for path in tf.io.gfile.glob(os.path.join(os.path.dirname(uri), ".tmp-*")):
            tf.io.gfile.rmtree(path)
    return work


def check_space(work: Working, output: str, image_bytes: int, images: int | None) -> None:
    """Refuses to begin what cannot end, where the file systems are local ones.

    Args:
      work: where runs go.
      output: URI of the Examples.
      image_bytes: of all images that will be written.
      images: their number, if it is known.

    Raises:
      ValueError: there is too little space; it says how much is needed.
    """
    done = sum(tf.io.gfile.stat(path).length for path in tf.io.gfile.glob(os.path.join(work.runs, "*")))
    needed: dict[int, int] = collections.Counter()
    paths: dict[int, str] = {}
    count = images or 0
    in_runs = max(image_bytes + count * _ROW_BYTES - done, 0)
    for path, size in ((work.folder, in_runs), (output, image_bytes + count * _RECORD_BYTES)):
        if not storage.is_remote(path):
            there = _existing(path)
            device = os.stat(there).st_dev
            paths.setdefault(device, there)
            needed[device] += int(size * _SPARE)
    for device, size in needed.items():
        free = shutil.disk_usage(paths[device]).free
        if size > free:
            raise ValueError(
                f"disk: {paths[device]} has {free:,} bytes free, and the images need {size:,}: once in working files, "
                "which go in the end, and once as they are written; free some space, or name another workspace"
            )


def stem(number: int) -> str:
    """Returns what the names of a part's runs begin with: another one in each attempt to read it."""
    return f"{number:06d}-{uuid.uuid4().hex[:8]}"


def _existing(path: str) -> str:
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def _loads(text: str) -> Finished:
    found = json.loads(text)
    return Finished([Piece(**piece) for piece in found["pieces"]], Counts(**found["counts"]))
