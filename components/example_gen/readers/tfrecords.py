"""Record files of `tf.train.Example`s that somebody else wrote, with a mapping of their features."""

import contextlib
import dataclasses
import functools
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from google.protobuf import message

from components import storage
from components.artifacts import findings, vocabulary
from components.artifacts.rejected import Rejection
from components.example_gen import splits
from components.example_gen.readers import labels, listing, shards
from components.example_gen.readers.labels import LabelFormat, LabelMap, Names, WrongLabelError
from components.example_gen.readers.reader import Contents, FilePart, LabelledImage, Reader
from components.example_gen.readers.sieve import WILD, Sieve
from components.settings import PathText


@dataclasses.dataclass(frozen=True)
class TFRecordPart(FilePart):
    """A record file, and the path of how labels are read, which may be too long to go with each part."""

    labels: str


class TFRecordReader(labels.LabelColumn, Reader[TFRecordPart]):
    """TFRecord files of `tf.train.Example`s that another program wrote.

    A damaged file ends the run, because nothing says how many images it had.

    Attributes:
      tfrecords: glob pattern of the files. `{split}` in it stands for the split of the data.
      splits: A split of the data is a text that takes the place of `{split}`.
      compression: compression of the files.
      image_key: feature with the encoded image.
      label_key: feature with the labels: names, or integers that count the names.
      id_key: feature with the id of the image. null: a hash of the image is the id.
      names: null: the labels are names, and the files are read once more to find all of them.
    """

    tfrecords: PathText
    compression: Literal["none", "gzip", "zlib"] = "gzip"
    image_key: str = "image/encoded"
    label_key: str = "image/class/label"
    id_key: str | None = None

    def check_fields(self) -> None:
        """See `Reader.check_fields`."""
        splits.own_splits("tfrecords", self.tfrecords, self.splits)

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        return listing.hash_entries([*self.names_entries(), *self._files()])

    def read_vocabulary(self) -> vocabulary.Vocabulary:
        """See `Reader.read_vocabulary`; without a file of names, all records are read."""
        known = self.read_names() or self._all_names([path for _, path, _, _ in self._files()])
        return vocabulary.make_vocabulary(known.names)

    def open(self, work: str) -> Contents:
        """See `Reader.open`."""
        rules = splits.parse_rules(self.splits)
        found = self._files()
        paths = [path for _, path, _, _ in found]
        form = self._check_features(paths)
        mapping = LabelMap(self.read_names() or self._all_names(paths), form)
        # By its content, since workers keep what they have read.
        text = json.dumps(dataclasses.asdict(mapping))
        labels_path = os.path.join(work, f"labels-{listing.hash_entries([text])}.json")
        storage.write_text(labels_path, text)
        sizes = {
            ours: int(sum(size for own, _, size, _ in found if own == rule.own) * rule.share)
            for ours, rule in rules.items()
        }
        return Contents(
            vocabulary.make_vocabulary(mapping.known.names),
            sizes,
            [TFRecordPart(path, own, rules, size, labels_path) for own, path, size, _ in found],
            findings=[
                *findings.list_names("empty_file", [path for _, path, size, _ in found if not size]),
                *findings.list_names("generations", shards.find_generations(paths)),
            ],
        )

    def read(self, part: TFRecordPart) -> Iterator[LabelledImage | Rejection]:
        """See `Reader.read`."""
        mapping = _load(part.labels)
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
                    found = mapping.find(self._labels(features))
                except WrongLabelError as error:
                    raise ValueError(f"label_key: {where}: {self._explain(error, mapping, part.path)}") from error
                if len(found) > 1 and not self.several_labels:
                    yield Rejection(source_id or where, None, "several_labels", f"{where}; set several_labels to true")
                    continue
                yield LabelledImage(images[0], found, source_id)

    def _explain(self, error: WrongLabelError, mapping: LabelMap, path: str) -> str:
        """Returns what is wrong with a label of the file at `path`: with an index, by all there are in it."""
        if error.index is None:
            return str(error)
        return mapping.explain_range(self._all_labels([path]))

    def _files(self) -> list[tuple[str | None, str, int, int]]:
        """Returns (own split, path, bytes, when changed) of all files."""
        found = []
        for own in splits.own_splits("tfrecords", self.tfrecords, self.splits):
            pattern = self.tfrecords if own is None else self.tfrecords.replace(splits.PLACE, own)
            # A star matches what systems leave, too; the folders before the first one are meant.
            parts = pattern.split("/")
            start = next((depth for depth, part in enumerate(parts) if WILD.search(part)), len(parts) - 1)
            sieve = Sieve(hidden=not any(part.startswith(".") for part in parts[start:]), side_files=False)
            matches = listing.match_files(pattern)
            files = [file for file in matches if sieve.sift("/".join(file[0].split("/")[start:])) is None]
            if not files:
                raise ValueError(f"tfrecords: no file matches {pattern!r}")
            shards.check_complete("tfrecords", pattern, [path for path, _, _ in files])
            found += [(own, *file) for file in files]
        empty = [path for _, path, size, _ in found if not size]
        if empty and self.compression != "none":
            raise ValueError(
                f"tfrecords: {', '.join(empty[:3])}{', …' * (len(empty) > 3)}: 0 bytes are no {self.compression} file; "
                "it was not written to its end: make it again"
            )
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

    def _check_features(self, paths: list[str]) -> LabelFormat:
        """Returns what labels are, by the first records; refuses keys that the first of all does not have."""
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
        some = list(itertools.islice(self._label_lists(paths), labels.SAMPLED))
        where = f"{self.label_key!r} of {path}"
        known = self.read_names()
        form = labels.decide_form(some, known, self.label_format, where)
        if (
            known is None
            and self.label_format is None
            and any(not isinstance(v, str) for values in some for v in values)
        ):
            raise ValueError(
                f"names: null, and {where} has integers; name a file with a label name a line, or set label_format: "
                "name if their digits are the names"
            )
        return form

    def _label_lists(self, paths: Iterable[str]) -> Iterator[list[labels.Value]]:
        """Yields the labels of each record, as they are."""
        for path in paths:
            for record in self._records(path):
                with contextlib.suppress(message.DecodeError):  # such a record will be rejected
                    yield self._labels(_features(record))

    def _labels(self, features: Any) -> list[labels.Value]:
        return self.plain_labels(_values(features, self.label_key))

    def _all_labels(self, paths: Iterable[str]) -> set[labels.Value]:
        return {label for found in self._label_lists(paths) for label in found}

    def _all_names(self, paths: list[str]) -> Names:
        names = tuple(sorted(map(str, self._all_labels(paths))))
        return Names(names, tuple(range(len(names))), "the records")


@functools.lru_cache(maxsize=1)
def _load(path: str) -> LabelMap:
    found = json.loads(storage.read_text(path))
    known = {**found["known"], "names": tuple(found["known"]["names"]), "indices": tuple(found["known"]["indices"])}
    return LabelMap(Names(**known), found["form"])


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
