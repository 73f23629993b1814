"""Record files of `tf.train.Example`s that somebody else wrote, with a mapping of their features."""

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Iterator
from typing import Literal

from google.protobuf import message

from components import storage
from components.artifacts import vocabulary
from components.artifacts.rejected import Rejection
from components.example_gen import splits
from components.example_gen.readers import listing, names
from components.example_gen.readers.reader import Contents, FilePart, LabelledImage, Reader
from components.example_gen.readers.sieve import Sieve


@dataclasses.dataclass(frozen=True)
class TFRecordPart(FilePart):
    """A record file, and the path of a list of all label names, which may be too long to go with each part."""

    names: str


class TFRecordReader(Reader[TFRecordPart]):
    """TFRecord files of `tf.train.Example`s that another program wrote.

    A damaged file ends the run, because nothing says how many images it had.

    Attributes:
      tfrecords: glob pattern of the files. `{split}` in it stands for the split of the data.
      splits: A split of the data is a text that takes the place of `{split}`.
      compression: compression of the files.
      image_key: feature with the encoded image.
      label_key: feature with the labels: names, or integers that count the names from 0.
      id_key: feature with the id of the image. null: a hash of the image is the id.
      names: a file with the names of the labels in their order, one a line. null: the labels are names, and the files
        are read once more to find all of them.
      several_labels: whether an image may have several labels.
    """

    tfrecords: str
    compression: Literal["none", "gzip", "zlib"] = "gzip"
    image_key: str = "image/encoded"
    label_key: str = "image/class/label"
    id_key: str | None = None
    names: str | None = None
    several_labels: bool = False

    def check_fields(self) -> None:
        """See `Reader.check_fields`."""
        splits.own_splits("tfrecords", self.tfrecords, self.splits)

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        return listing.hash_entries([*(names.read_names(self.names) if self.names else ()), *self._files()])

    def allows_several_labels(self) -> bool:
        """See `Reader.has_several_labels`."""
        return self.several_labels

    def read_vocabulary(self) -> vocabulary.Vocabulary:
        """See `Reader.read_vocabulary`; without a file of names, all records are read."""
        if self.names:
            return vocabulary.make_vocabulary(names.read_names(self.names))
        return vocabulary.make_vocabulary(self._all_names([path for _, path, _, _ in self._files()]))

    def open(self, work: str) -> Contents:
        """See `Reader.open`."""
        rules = splits.parse_rules(self.splits)
        found = self._files()
        self._check_features([path for _, path, _, _ in found])
        labels = self.read_vocabulary()
        # By its content, since workers keep what they have read.
        names_path = os.path.join(work, f"names-{listing.hash_entries(labels.names)}.json")
        storage.write_text(names_path, json.dumps(labels.names))
        sizes = {
            ours: int(sum(size for own, _, size, _ in found if own == rule.own) * rule.share)
            for ours, rule in rules.items()
        }
        return Contents(
            labels, sizes, [TFRecordPart(path, own, rules, size, names_path) for own, path, size, _ in found]
        )

    def read(self, part: TFRecordPart) -> Iterator[LabelledImage | Rejection]:
        """See `Reader.read`."""
        index = _index(part.names)
        for number, record in enumerate(self._records(part.path)):
            where = f"{part.path} record {number}"
            try:
                features = _features(record)
            except message.DecodeError:
                yield Rejection(where, None, "damaged", f"{where} is no tf.train.Example")
                continue
            ids = _values(features, self.id_key) if self.id_key else ()
            source_id = _text(ids[0]) if ids else None
            images = _values(features, self.image_key)
            if not images or not isinstance(images[0], bytes):
                yield Rejection(source_id or where, None, "no_image", f"{where} has no bytes {self.image_key!r}")
            elif self.id_key and not ids:
                yield Rejection(where, None, "no_id", f"{where} has no {self.id_key!r}")
            else:
                try:
                    labels = self._labels(features, index)
                except KeyError as error:
                    detail = f"{error.args[0]!r} is no name of a label"
                    yield Rejection(source_id or where, None, "unknown_label", detail)
                    continue
                if len(labels) > 1 and not self.several_labels:
                    yield Rejection(source_id or where, None, "several_labels", f"{where}; set several_labels to true")
                    continue
                yield LabelledImage(images[0], labels, source_id)

    def _files(self) -> list[tuple[str | None, str, int, int]]:
        """Returns (own split, path, bytes, when changed) of all files."""
        found = []
        for own in splits.own_splits("tfrecords", self.tfrecords, self.splits):
            pattern = self.tfrecords if own is None else self.tfrecords.replace(splits.PLACE, own)
            # A star matches what systems leave, too.
            sieve = Sieve(hidden=not os.path.basename(pattern).startswith("."), side_files=False)
            files = [file for file in listing.match_files(pattern) if sieve.sift(os.path.basename(file[0])) is None]
            if not files:
                raise ValueError(f"tfrecords: no file matches {pattern!r}")
            found += [(own, *file) for file in files]
        return found

    def _records(self, path: str) -> Iterator[bytes]:
        import tensorflow as tf

        options = tf.io.TFRecordOptions("" if self.compression == "none" else self.compression.upper())
        try:
            yield from tf.compat.v1.io.tf_record_iterator(path, options)
        except tf.errors.DataLossError as error:
            raise ValueError(
                f"tfrecords: {path} is damaged, or its compression is not {self.compression!r}: {error.message}"
            ) from error

    def _check_features(self, paths: list[str]) -> None:
        """Refuses keys that the first record of all does not have."""
        path, record = next(((path, record) for path in paths for record in self._records(path)), (None, None))
        if record is None:
            raise ValueError(f"tfrecords: {', '.join(paths[:3])}{', …' * (len(paths) > 3)}: there is no record in them")
        try:
            features = _features(record)
        except message.DecodeError as error:
            raise ValueError(f"tfrecords: the first record of {path} is no tf.train.Example") from error
        for argument in ("image_key", "label_key", "id_key"):
            key = getattr(self, argument)
            if key is not None and key not in features:
                raise ValueError(
                    f"{argument}: {path} has no feature {key!r}; its first record has {', '.join(sorted(features))}"
                )
        if not self.names and features[self.label_key].WhichOneof("kind") != "bytes_list":
            raise ValueError(f"names: null, and {self.label_key!r} has integers; name a file with a label name a line")

    def _all_names(self, paths: list[str]) -> tuple[str, ...]:
        found: set[bytes] = set()
        for path in paths:
            for record in self._records(path):
                with contextlib.suppress(message.DecodeError):  # such a record will be rejected
                    found.update(_values(_features(record), self.label_key))
        return tuple(sorted(_text(name) for name in found))

    def _labels(self, features, index: dict[str, int]) -> tuple[int, ...]:
        labels = (
            label if isinstance(label, int) else index[_text(label)] for label in _values(features, self.label_key)
        )
        return tuple(dict.fromkeys(labels))


@functools.lru_cache(maxsize=1)
def _index(path: str) -> dict[str, int]:
    return {name: label for label, name in enumerate(json.loads(storage.read_text(path)))}


def _features(record: bytes):
    import tensorflow as tf

    return tf.train.Example.FromString(record).features.feature


def _values(features, key: str) -> list:
    if key not in features:  # or else the map makes it
        return []
    kind = features[key].WhichOneof("kind")
    return list(getattr(features[key], kind).value) if kind else []


def _text(value: bytes | int) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
