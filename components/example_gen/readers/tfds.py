"""Reading a TFDS builder: by its name, at its prepared files, with the encoded bytes passed through."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pydantic

from components.artifacts import index, vocabulary
from components.artifacts.rejected import Rejection
from components.example_gen import splits
from components.example_gen.readers import labels, reader, tfds_builders
from components.example_gen.readers.labels import LabelMap, Names, WrongLabelError
from components.example_gen.readers.reader import Contents, LabelledImage, Reader
from components.example_gen.splits import Rule
from components.settings import PathText

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


_UNLABELLED = -1  # what TFDS writes where an image has no label


@dataclasses.dataclass(frozen=True)
class TfdsPart(reader.Part):
    """A run of consecutive examples that one worker reads.

    Attributes:
      instruction: which they are, to TFDS.
      rules: our split → what goes into it of these.
    """

    instruction: "tfds.typing.SplitArg"
    rules: dict[str, Rule]

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.rules)

    @property
    def weight(self) -> float:
        return 1.0

    def splits_of(self, content_hash: str) -> list[str]:
        return splits.matching_splits(self.rules, None, content_hash)


class TfdsReader(labels.LabelColumn, Reader[TfdsPart]):
    """A prepared TFDS data set.

    Attributes:
      dataset: a TFDS name such as `cifar10` or `oxford_iiit_pet:4.*.*`, or one that comes with this package:
        `printed_glyphs` or `handwritten_digits`.
      splits: A split of the data is a TFDS split expression; its parts (`train[:90%]`) are by position, not by hash.
      data_dir: the folder in which it is prepared. null: TFDS's default, $TFDS_DATA_DIR or ~/tensorflow_datasets.
      image_key: feature with the image.
      label_key: feature with the label or the labels; `objects/label` is the label of each of the `objects`.
      id_key: feature with the id of the example. null: a hash of its image is the id.
      names: null: the names that the feature has.
      min_confidence: the smallest `confidence` of a label that counts, for data sets that have this feature beside the
        label. A label of confidence 0 never counts.
    """

    dataset: str
    data_dir: PathText | None = None
    image_key: str = "image"
    label_key: str = "label"
    id_key: str | None = None
    min_confidence: pydantic.PositiveFloat | None = None

    def check_fields(self) -> None:
        """See `Reader.check_fields`. Expressions are left to TFDS, which knows the splits that they are of."""
        if not all(isinstance(expression, str) for expression in self.splits.values()):
            super().check_fields()

    def is_prepared(self) -> bool:
        """Returns whether the files are there, or are not for `prepare` to make."""
        return tfds_builders.is_prepared(self.dataset, self.data_dir)

    def prepare(self) -> bool:
        """Makes an embedded data set's files if they are not there yet.

        Returns:
          Whether anything had to be made.
        """
        return tfds_builders.prepare_embedded(self.dataset, self.data_dir)

    def open(self, work: str) -> Contents:
        """See `Reader.open`. TFDS's own runs are small: nothing is written to `work`."""
        sizes = self.sizes()
        return Contents(
            self.read_vocabulary(),
            {split: size for split, (_, size) in sizes.items()},
            self.parts(),
            examples={split: count for split, (count, _) in sizes.items()},
        )

    def fingerprint(self) -> str:
        """Returns 16 hex digits that change when the prepared files do.

        The record files go in by name, size and time, what TFDS says of them and the label names by their content. An
        embedded data set is the same whenever it was made.
        """
        import tensorflow as tf

        info = self._prepared().info
        folder = str(info.data_dir)
        digest = hashlib.sha256()
        self.sizes()  # so that a wrong split is told first
        tfds_builders.check_files(self.dataset, info, self._rules(info))
        for name in sorted(tf.io.gfile.listdir(folder)):
            path = os.path.join(folder, name)
            state = tf.io.gfile.stat(path)
            changed = 0 if self.dataset in tfds_builders.EMBEDDED else state.mtime_nsec
            digest.update(f"{name} {state.length} {changed}\n".encode())
            if name.endswith((".json", ".txt")):
                with tf.io.gfile.GFile(path, "rb") as file:
                    digest.update(file.read())
        if self.names or self.label_format:
            digest.update(repr([self.label_format, *self.names_entries()]).encode())
        return digest.hexdigest()[:16]

    def read_vocabulary(self) -> vocabulary.Vocabulary:
        """Returns the label names, and their parents where the builder's metadata have `parents`: {name: [parent, …]}.

        Raises:
          ValueError: the label feature has no names, and there is no file of them.
        """
        info = self._prepared().info
        parents = info.metadata.get("parents") if isinstance(info.metadata, dict) else None
        return vocabulary.make_vocabulary(self._label_map(info).known.names, parents)

    def _label_map(self, info: "tfds.core.DatasetInfo") -> LabelMap:
        """Returns how the label feature is read.

        Raises:
          ValueError: it has no names and there is no file of them, or it may be several things.
        """
        import tensorflow_datasets as tfds

        feature = self._feature(info, "label_key")
        self._confidence_key(info)
        feature = getattr(feature, "feature", feature)  # a Sequence of ClassLabels: several labels an image
        known = self.read_names()
        if isinstance(feature, tfds.features.ClassLabel) and self.label_format != "one_hot":
            names = tuple(feature.names)
            return LabelMap(known or Names(names, tuple(range(len(names))), f"the data set {self.dataset!r}"), "index")
        if known is None or isinstance(feature, tfds.features.FeaturesDict):
            raise ValueError(
                f"label_key: {self.label_key!r} of {self.dataset!r} is a {type(feature).__name__}, not a ClassLabel; "
                "name another key, or a file of names where there are none"
            )
        where = f"{self.label_key!r} of {self.dataset!r}"
        return LabelMap(known, labels.decide_form(self._some_labels(), known, self.label_format, where))

    def _some_labels(self) -> Iterator[list[labels.Value]]:
        """Yields the labels of the first examples."""
        if self.label_format is not None:
            return
        expression = next(iter(self._rules(self._prepared().info)))
        rows = self._rows(expression, [self.label_key]).take(labels.SAMPLED)
        take = self._taker(self.label_key)
        yield from (self._values(take(row)) for row in rows.as_numpy_iterator())

    def allows_several_labels(self) -> bool:
        """Returns whether an example may have more than one label."""
        from components.example_gen.readers import tfds_features

        info = self._prepared().info
        self._feature(info, "label_key")
        return self.several_labels or (
            tfds_features.is_repeated(info.features, self.label_key) and self.label_format != "one_hot"
        )

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Returns split → (number of examples, estimated bytes).

        Raises:
          ValueError: a split expression does not fit the data set, or selects nothing.
        """
        found: dict[str, tuple[int, int]] = {}
        info = self._prepared().info
        for expression, rules in self._rules(info).items():
            examples, size = self._size(info, expression, next(iter(rules)))
            found |= {split: (round(examples * rule.share), int(size * rule.share)) for split, rule in rules.items()}
        return {split: found[split] for split in self.splits}

    def parts(self) -> list[TfdsPart]:
        """Returns all splits as runs of 64 MB or more, two of a smaller one so that workers can share even that."""
        import tensorflow_datasets as tfds

        parts, info = [], self._prepared().info
        for expression, rules in self._rules(info).items():
            examples, size = self._size(info, expression, next(iter(rules)))
            runs = tfds.even_splits(expression, min(examples, max(2, size // reader.part_bytes(size))))
            # Of a sum of splits each term is spread: of terms with few examples the last runs get none, which TFDS
            # cannot read.
            parts += [TfdsPart(run, rules) for run in runs if info.splits[run].num_examples]
        return parts

    def read(self, part: TfdsPart) -> Iterator[LabelledImage | Rejection]:
        """Yields the examples of `part`, images still encoded."""
        import tensorflow_datasets as tfds

        from components.example_gen.readers import tfds_features

        info = self._prepared().info
        image = self._feature(info, "image_key")
        if not isinstance(image, tfds.features.Image):
            raise ValueError(
                f"image_key: {self.image_key!r} of {self.dataset!r} is a {type(image).__name__}, not an Image"
            )
        for argument in ("label_key", *(["id_key"] if self.id_key else [])):
            self._feature(info, argument)
        mapping, confidence_key = self._label_map(info), self._confidence_key(info)
        several = self.allows_several_labels()
        keys = [key for key in (self.image_key, self.label_key, confidence_key, self.id_key) if key]
        take_labels = self._taker(self.label_key)
        take_confidences = self._taker(confidence_key) if confidence_key else None
        for row in tfds_features.iterate_rows(self._rows(part.instruction, keys)):
            values = self._values(take_labels(row))
            if take_confidences and self.min_confidence is not None:  # both or neither
                values = tfds_features.confident_labels(values, take_confidences(row).tolist(), self.min_confidence)
            source_id = _text(row[self.id_key]) if self.id_key else None
            name = source_id or index.content_hash(row[self.image_key])
            where = f"example {name} of {self.dataset!r}"
            if mapping.form == "index":
                values = [value for value in values if value != _UNLABELLED]
            try:
                found = mapping.find(values)
            except WrongLabelError as error:
                raise ValueError(f"label_key: {where}: {self._explain(error, mapping, part)}") from error
            if len(found) > 1 and not several:
                yield Rejection(name, None, "several_labels", f"{where}; set several_labels to true")
            else:
                yield LabelledImage(row[self.image_key], found, source_id)

    def _explain(self, error: WrongLabelError, mapping: LabelMap, part: TfdsPart) -> str:
        """Returns what is wrong with a label of `part`: with an index, by all there are in it."""
        from components.example_gen.readers import tfds_features

        if error.index is None:
            return str(error)
        take = self._taker(self.label_key)
        rows = tfds_features.iterate_rows(self._rows(part.instruction, [self.label_key]))
        every = {label for row in rows for label in self._values(take(row))}
        return mapping.explain_range(every - {_UNLABELLED})

    def _values(self, found: Any) -> list[labels.Value]:
        return self.plain_labels(np.atleast_1d(found).tolist())

    def _rows(self, instruction: "tfds.typing.SplitArg", keys: list[str]):
        """Returns a data set of the features `keys` of what `instruction` selects; images stay encoded."""
        import tensorflow_datasets as tfds

        from components.example_gen.readers import tfds_features

        builder = self._prepared()
        decoders = {self.image_key: tfds.decode.SkipDecoding()} if self.image_key in keys else {}
        return builder.as_dataset(
            split=instruction,
            decoders=tfds.decode.PartialDecoding(
                tfds_features.partial_features(builder.info.features, keys), decoders=decoders
            ),
            read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
            shuffle_files=False,
        )

    def _taker(self, key: str) -> Callable[[dict], Any]:
        """Returns what takes the feature `key` of an example."""
        from components.example_gen.readers import tfds_features

        path = tfds_features.feature_path(self._prepared().info.features, key)
        return lambda row: functools.reduce(lambda found, name: found[name], path, row)

    def _rules(self, info: "tfds.core.DatasetInfo") -> dict[str, dict[str, Rule]]:
        """Returns TFDS split expression → our splits that are made of it, and how."""
        names = {split: value for split, value in self.splits.items() if isinstance(value, str)}
        if names:
            found: dict[str, dict[str, Rule]] = {}
            for split, expression in names.items():
                found.setdefault(expression, {})[split] = Rule(None)
            return found
        return {"+".join(info.splits): splits.parse_rules(self.splits)}

    def _size(self, info: "tfds.core.DatasetInfo", expression: str, split: str) -> tuple[int, int]:
        """Returns the number of examples that an expression selects for our `split`, and their bytes, estimated."""
        whole = {name: max(1, own.num_examples) for name, own in info.splits.items()}
        try:
            examples = info.splits[expression].num_examples
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"splits.{split}: {expression!r} does not fit {self.dataset!r}, which has the splits {', '.join(whole)}"
            ) from error
        if examples < 1:  # below 0 where a slice ends before it begins
            raise ValueError(f"splits.{split}: {expression!r} selects no example of {self.dataset!r}")
        bytes_each = sum(own.num_bytes for own in info.splits.values()) / sum(whole.values())
        return examples, int(examples * bytes_each)

    def _prepared(self) -> "tfds.core.DatasetBuilder":
        return tfds_builders.open_prepared(self.dataset, self.data_dir)

    def _feature(self, info: "tfds.core.DatasetInfo", argument: str) -> "tfds.features.FeatureConnector":
        from components.example_gen.readers import tfds_features

        key = getattr(self, argument)
        try:
            return tfds_features.find_feature(info.features, key)
        except KeyError as error:
            keys = ", ".join(tfds_features.feature_keys(info.features))
            raise ValueError(f"{argument}: {self.dataset!r} has no feature {key!r}; it has {keys}") from error

    def _confidence_key(self, info: "tfds.core.DatasetInfo") -> str | None:
        """Returns the key of the labels' confidences, or None.

        Raises:
          ValueError: there are some and no least was given, which would count labels known not to be there; or the
            reverse.
        """
        from components.example_gen.readers import tfds_features

        key = tfds_features.confidence_key(info.features, self.label_key)
        if (key is None) != (self.min_confidence is None):
            way_out = (
                f"there is {key!r}, set it to the least that counts" if key else "there is none here, leave it out"
            )
            raise ValueError(
                f"min_confidence: {self.min_confidence} for {self.label_key!r} of {self.dataset!r}; {way_out}"
            )
        return key


def _text(source_id: bytes | np.integer) -> str:
    return source_id.decode("utf-8", "backslashreplace") if isinstance(source_id, bytes) else str(source_id)
