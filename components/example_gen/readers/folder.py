"""A folder of images, with a folder a class; folders in folders are a hierarchy."""

import collections
import dataclasses
import posixpath
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from components.artifacts import findings, vocabulary
from components.artifacts.findings import Finding
from components.example_gen import splits
from components.example_gen.readers import files, listing
from components.example_gen.readers.sieve import Sieve

# Folders of such names, in any case, are hardly classes.
_LIKE_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "eval", "dev", "test", "testing"})


class FolderReader(files.FileReader):
    """A folder of images, with a folder for each class.

    The label of an image is the path of its folder, as in `bird/owl`; its parents are the folders above it (`bird`). A
    folder that is in every class folder, such as `images`, is no part of the labels. The id of an image is its path.
    Files outside the class folders are ignored, and so are hidden ones, what systems leave, and text, tables and
    archives beside the images. Links are not followed out of the folder, nor to other folders.

    Attributes:
      folder: path or URI of the folder.
      splits: A split of the data is a folder in it, which holds the class folders. With shares, the images of such
        folders are pooled.
    """

    folder: str

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        rows = self._lay_out(listing.list_files(self.folder, Sieve(self.exclude)).files).rows
        return listing.hash_entries(row.file for row in rows if row.label or row.file.is_folder)

    def list_images(self) -> files.Listing:
        """See `FileReader.list_images`.

        Raises:
          ValueError: there is no such folder or split, no class folder, or one whose images cannot be listed.
        """
        sieve = Sieve(self.exclude)
        tree = listing.list_files(self.folder, sieve)
        layout = self._lay_out(tree.files)
        self._check(tree.files, layout.rows)
        names = sorted({row.label for row in layout.rows if row.label and not row.file.is_folder})
        index = {name: i for i, name in enumerate(names)}
        kept = [row for row in layout.rows if row.label in index or row.file.refused is not None]
        columns = {
            "source_id": [row.file.path for row in kept],
            "uri": [listing.join(self.folder, row.file.path) for row in kept],
            "labels": [[index[row.label]] if row.label in index else [] for row in kept],
            "split": [row.split for row in kept],
            "bytes": [row.file.size for row in kept],
            "refused": [row.file.refused for row in kept],
        }
        labels = vocabulary.make_vocabulary(names, {name: _above(name) for name in names})
        strays = [row.file.path for row in layout.rows if row.label not in index and row.file.refused is None]
        empty = [path for path in tree.empty if not layout.splits or path.partition("/")[0] in layout.splits]
        found = [
            *layout.findings,
            *findings.list_names("stray_files", strays),
            *findings.list_names("empty_folders", empty),
            *sieve.findings(),
        ]
        return files.Listing(pa.table(columns, schema=files.SCHEMA), labels, found)

    def _lay_out(self, below: list[listing.File]) -> "_Layout":
        rules = splits.parse_rules(self.splits)
        own = {rule.own for rule in rules.values() if rule.own is not None}
        like_splits, with_classes = _find_like_splits(below)
        pooled = with_classes if not own and len(with_classes) > 1 else set()
        used = own or pooled
        rows, unused = [], collections.Counter[str]()
        for file in below:
            top, _, rest = file.path.partition("/")
            if used and top not in used and (rest or file.is_folder):
                unused[top] += 1
            elif used and top in used:
                rows.append(_Row(file, top if own else None, posixpath.dirname(rest)))
            else:
                rows.append(_Row(file, None, "" if used else posixpath.dirname(file.path)))
        found = [
            *findings.list_names("pooled", sorted(pooled)),
            *findings.list_names("split_like", sorted(like_splits) if with_classes and not used else ()),
            *findings.list_counts("unused_folders", unused),
        ]
        return _Layout(_drop_shared(rows, rules["train"].own), used, found)

    def _check(self, below: list[listing.File], found: list["_Row"]) -> None:
        rules = splits.parse_rules(self.splits)
        for row in found:
            # Further down, a link is set aside like any file that leads out; of a folder that should be a class, or
            # that cannot be read, nobody would miss the images.
            file = row.file
            if file.is_folder and file.refused and (not row.label or file.refused.startswith("unreadable")):
                _, _, why = file.refused.partition(": ")
                raise ValueError(
                    f"folder: {file.path!r} in {self.folder!r} is a folder whose images cannot be taken: {why}; put "
                    "the images there, make it readable, or take it away"
                )
        for ours, rule in rules.items():
            if rule.own is not None and not any(row.split == rule.own and row.label for row in found):
                tops = {file.path.partition("/")[0] for file in below if file.path.count("/") > 1}
                raise ValueError(
                    f"splits.{ours}: {self.folder!r} has no folder {rule.own!r} with class folders in it; its folders "
                    f"are {', '.join(sorted(tops)) or 'none'}"
                )
        if not any(row.label for row in found):
            raise ValueError(f"folder: {self.folder!r} has no class folders; images have to be in a folder a class")


class _Row(NamedTuple):  # of which there may be millions
    """A file, the data's own split that it is in, and its label; empty: it is in no class folder."""

    file: listing.File
    split: str | None
    label: str


@dataclasses.dataclass(frozen=True)
class _Layout:
    """The files of the splits that are asked for, the folders that are splits, and what is suspicious about them."""

    rows: list[_Row]
    splits: set[str]
    findings: list[Finding]


def _find_like_splits(below: Iterable[listing.File]) -> tuple[set[str], set[str]]:
    """Returns the outermost folders that are called like splits, and those of them that hold folders alone."""
    called, with_classes, with_images = set[str](), set[str](), set[str]()
    for file in below:
        top, *folders = file.path.split("/")[:-1] or [""]
        if top.casefold() in _LIKE_SPLITS:
            called.add(top)
            (with_classes if folders else with_images).add(top)
    return called, with_classes - with_images


def _drop_shared(rows: list[_Row], train: str | None) -> list[_Row]:
    """Returns `rows` without the innermost folder of their labels, if all labels of the own split `train` share it."""
    labels = {row.label for row in rows if row.split == train and row.label and not row.file.is_folder}
    shared = {posixpath.basename(label) for label in labels}
    if len(labels) < 2 or len(shared) > 1 or not all("/" in label for label in labels):
        return rows
    ending = f"/{shared.pop()}"
    return _drop_shared([_Row(row.file, row.split, row.label.removesuffix(ending)) for row in rows], train)


def _above(label: str) -> list[str]:
    """Returns the folders above a label's, the nearest first."""
    parts = label.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
