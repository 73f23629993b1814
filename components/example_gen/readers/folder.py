"""A folder of images, with a folder a class; folders in folders are a hierarchy."""

import collections
import dataclasses
import logging
import posixpath

import pyarrow as pa

from components.example_gen import splits, vocabulary
from components.example_gen.readers import files, listing

# A folder of such a name is hardly a class.
_LIKE_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "eval", "dev", "test", "testing"})


@dataclasses.dataclass(frozen=True)
class FolderDataset(files.FileReader):
    """A folder of images.

    A label is the path of the folder that holds the image, as in 'bird/owl'; its parents are the folders above it
    ('bird'). The id of an image is its path. Hidden files, and those outside any class folder, are not looked at.

    Attributes:
      folder: path or URI.
      splits: our split → a folder in it that holds the class folders, with or without a slice, or → a share.
    """

    folder: str
    splits: dict[str, str | float]

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        return listing.fingerprint(listing.below(self.folder))

    def has_several_labels(self) -> bool:
        """See `Reader.has_several_labels`."""
        return False

    def listed(self) -> tuple[pa.Table, vocabulary.Vocabulary]:
        """See `FileReader.listed`.

        Raises:
          ValueError: there is no such folder or split, or no class folder.
        """
        own = {rule.own for rule in splits.rules(self.splits).values()} - {None}
        found = []
        tops = collections.Counter()
        outside = 0
        for file in listing.below(self.folder):
            top, _, rest = file.path.partition("/")
            if own and top not in own:
                tops[top] += bool(rest)
                continue
            label = posixpath.dirname(rest if own else file.path)
            if label:
                tops[top] += 1
                found.append((file, top if own else None, label))
            else:
                outside += 1
        self._check(own, +tops, bool(found))
        if outside:
            logging.warning("folder: %d files of %r are in no class folder, and not looked at", outside, self.folder)
        names = sorted({label for _, _, label in found})
        index = {name: i for i, name in enumerate(names)}
        columns = {
            "source_id": [file.path for file, _, _ in found],
            "uri": [listing.join(self.folder, file.path) for file, _, _ in found],
            "labels": [[index[label]] for _, _, label in found],
            "split": [split for _, split, _ in found],
            "bytes": [file.size for file, _, _ in found],
            "refused": [file.refused for file, _, _ in found],
        }
        labels = vocabulary.make(names, {name: _above(name) for name in names})
        return pa.table(columns, schema=files.SCHEMA), labels

    def _check(self, own: set[str], tops: collections.Counter, any_found: bool) -> None:
        for ours, expression in self.splits.items() if own else ():
            name = splits.rules({ours: expression})[ours].own
            if name not in tops:
                raise ValueError(
                    f"splits.{ours}: {self.folder!r} has no folder {name!r} with class folders in it; its folders are "
                    f"{', '.join(sorted(tops)) or 'none'}"
                )
        if not any_found:
            raise ValueError(f"folder: {self.folder!r} has no class folders; images have to be in a folder a class")
        if not own and len(tops) > 1 and tops.keys() <= _LIKE_SPLITS:
            raise ValueError(
                f"splits: {dict(self.splits)} are shares, but the folders of {self.folder!r} are its splits: "
                f"{', '.join(sorted(tops))}; name them instead"
            )


def _above(label: str) -> list[str]:
    """Returns the folders above a label's, the nearest first."""
    parts = label.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
