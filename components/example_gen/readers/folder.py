"""A folder of images, with a folder a class; folders in folders are a hierarchy."""

import collections
import dataclasses
import functools
import itertools
import posixpath
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pyarrow as pa
import pydantic

from components.artifacts import findings, vocabulary
from components.artifacts.findings import Finding
from components.example_gen import splits
from components.example_gen.readers import files, listing, split_folders
from components.example_gen.readers.reader import Splits
from components.example_gen.readers.sieve import Sieve, is_called_like_image
from components.settings import PathText

UNLABELLED = "unlabelled"  # the one label of images that have none
_ALL: Splits = {"train": 1.0}


class FolderReader(files.FileReader):
    """A folder of images, with a folder for each class.

    The label of an image is the path of its folder, as in `bird/owl`; its parents are the folders above it (`bird`). A
    folder that is in every class folder, such as `images`, is no part of the labels. The id of an image is its path.
    Files outside the class folders are ignored, and so are hidden ones, what systems leave, and text, tables and
    archives beside the images.

    Attributes:
      folder: path or URI of the folder.
      splits: A split of the data is a folder in it, or a path such as `images/train`, which holds the class folders.
        With shares, the images of such folders are pooled. Left out: the images need no class folders. All of them are
        `train`, wherever they are, and have no labels: enough for a label prior, and for no training.
    """

    folder: PathText
    splits: Splits = pydantic.Field(_ALL, json_schema_extra={"required": ["train", "eval"]})

    @pydantic.field_validator("splits")
    @classmethod
    def _needed(cls, value: Splits) -> Splits:
        return value if value == _ALL else super()._needed(value)

    def is_labelled(self) -> bool:
        """See `Reader.is_labelled`."""
        return self.splits != _ALL

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        layout = self._lay_out(listing.list_files(self.folder, Sieve(self.exclude), self.follow_links))
        read = (row.file for row in layout.rows if row.label or row.file.is_folder)
        return listing.hash_entries([*read, *layout.strays, *layout.empty])

    def list_images(self) -> files.Listing:
        """See `FileReader.list_images`.

        Raises:
          ValueError: there is no such folder or split, no class folder, or one whose images cannot be listed; or all
            folders seem to be splits, and splits are shares.
        """
        sieve = Sieve(self.exclude)
        tree = listing.list_files(self.folder, sieve, self.follow_links)
        layout = self._lay_out(tree)
        self._check(layout, files.explain_excluded(sieve.findings()))
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
        labels = vocabulary.make_vocabulary(names, {name: listing.folders_above(name)[::-1] for name in names})
        found = [
            *layout.findings,
            *findings.list_names("stray_files", filter(is_called_like_image, layout.strays)),
            *findings.list_names("stray_others", itertools.filterfalse(is_called_like_image, layout.strays)),
            *findings.list_names("empty_folders", layout.empty),
            *findings.list_counts("linked", tree.outside),
            *sieve.findings(),
        ]
        return files.Listing(pa.table(columns, schema=files.SCHEMA), labels, found)

    def _lay_out(self, tree: listing.Tree) -> "_Layout":
        if not self.is_labelled():
            return _Layout([_Row(file, None, UNLABELLED) for file in tree.files], {}, False, [], tree.empty, [])
        rules = splits.parse_rules(self.splits)
        own = {rule.own for rule in rules.values() if rule.own is not None}
        counts = collections.Counter(posixpath.dirname(file.path) for file in tree.files if not file.is_folder)
        pooled = split_folders.find_pooled(counts) if not own else set()
        used = sorted(own or pooled, key=len, reverse=True)  # the innermost first
        doubled = all(_is_doubled(split, counts) for split in used)
        find_beside = functools.cache(lambda folder: _find_beside(folder, used))
        rows, unused = [], collections.Counter[str]()
        for file in tree.files:
            folder = posixpath.dirname(file.path)
            split = _find_split(file.path, used)
            if split is not None:
                inner = file.path[len(split) + 1 :]
                inner = inner.removeprefix(f"{posixpath.basename(split)}/") if doubled else inner
                rows.append(_Row(file, split if own else None, posixpath.dirname(inner)))
            elif beside := find_beside(file.path if file.is_folder else folder) if used else "":
                unused[beside] += 1
            else:
                rows.append(_Row(file, None, "" if used else folder))
        train = rules["train"].own
        rows = _drop_shared(rows, train)
        like_splits = [] if used else split_folders.find_suspicious(counts)
        found = [
            *findings.list_names("pooled", sorted(pooled)),
            *findings.list_names("split_like", like_splits),
            # Splits that are labels have all classes in them.
            *findings.list_names(
                "in_every_class", [] if like_splits else _find_in_every_class(_labels_of(rows, train))
            ),
            *findings.list_counts("unused_folders", unused),
        ]
        strays = [row.file.path for row in rows if not row.label and row.file.refused is None]
        empty = [path for path in tree.empty if not used or _find_split(path, used) is not None]
        return _Layout(rows, counts, bool(used), strays, empty, found)

    def _check(self, layout: "_Layout", excluded: str) -> None:
        rules = splits.parse_rules(self.splits)
        for row in layout.rows:
            # Further down, a link is set aside like any file that leads out; of a folder that should be a class, or
            # that cannot be read, nobody would miss the images.
            file = row.file
            if file.is_folder and file.refused and (not row.label or file.refused.startswith("unreadable")):
                _, _, why = file.refused.partition(": ")
                raise ValueError(
                    f"folder: {file.path!r} in {self.folder!r} is a folder whose images cannot be taken: {why}; put "
                    "the images there, make it readable, take it away, or set follow_links if it is a link"
                )
        tops = sorted({folder.partition("/")[0] for folder in layout.files if "/" in folder})
        for ours, rule in rules.items():
            own = rule.own
            if own is not None and not any(row.split == own and row.label for row in layout.rows):
                deeper = "".join(f"; if it is {path}, name that path in splits" for path in _find_deeper(own, layout))
                raise ValueError(
                    f"splits.{ours}: {self.folder!r} has no folder {own!r} with class folders in it; its folders "
                    f"are {', '.join(tops) or 'none'}{deeper}{excluded}"
                )
        if not layout.rows and not self.is_labelled():
            raise ValueError(f"folder: {self.folder!r} has no images{excluded}")
        if not any(row.label for row in layout.rows):
            raise ValueError(
                f"folder: {self.folder!r} has no class folders; images have to be in a folder a class{excluded}"
            )
        if not layout.has_splits and split_folders.are_all_like_splits(layout.files):
            there = sorted({folder.partition("/")[0] for folder in layout.files if folder})
            raise ValueError(
                f"folder: all folders in {self.folder!r} are called like splits ({', '.join(there)}), and not two of "
                "them hold class folders, so that there are no labels; name those with class folders in splits, leave "
                "out the others with exclude, or write a manifest"
            )


class _Row(NamedTuple):  # of which there may be millions
    """A file, the data's own split that it is in, and its label; empty: it is in no class folder."""

    file: listing.File
    split: str | None
    label: str


@dataclasses.dataclass(frozen=True)
class _Layout:
    """What there is of the splits that are asked for.

    Attributes:
      rows: their files.
      files: folder → number of files in the folder itself, of all that there are.
      has_splits: whether folders are splits.
      strays: paths of files in no class folder.
      empty: folders without a file.
      findings: what is suspicious of the folders.
    """

    rows: list[_Row]
    files: Mapping[str, int]
    has_splits: bool
    strays: list[str]
    empty: list[str]
    findings: list[Finding]


def _find_split(path: str, used: Iterable[str]) -> str | None:
    """Returns the first folder of `used` that `path` is in, or is."""
    return next((split for split in used if path == split or path.startswith(f"{split}/")), None)


def _find_beside(folder: str, used: Iterable[str]) -> str:
    """Returns the outermost folder on the way to `folder` in which no folder of `used` is; empty: there is none."""
    ways = (*listing.folders_above(folder), folder)
    return next((way for way in ways if not any(split.startswith(f"{way}/") for split in used)), "") if folder else ""


def _find_deeper(own: str, layout: _Layout) -> list[str]:
    """Returns the first path at whose end there is a folder `own` with folders in it; empty: there is none."""
    found = sorted(folder for folder in layout.files if f"/{own}/" in folder)
    return [f"{folder.partition(f'/{own}/')[0]}/{own}" for folder in found[:1]]


def _is_doubled(split: str, folders: Iterable[str]) -> bool:
    """Returns whether all class folders of `split` are in a folder of its name in it, as unpacking leaves them."""
    classes = [folder for folder in folders if folder.startswith(f"{split}/")]
    return bool(classes) and all(folder.startswith(f"{split}/{posixpath.basename(split)}/") for folder in classes)


def _find_in_every_class(labels: Iterable[str]) -> list[str]:
    """Returns the innermost folders of `labels`, sorted, if there are several and all folders above have the same."""
    inner: dict[str, set[str]] = collections.defaultdict(set)
    for label in labels:
        inner[posixpath.dirname(label)].add(posixpath.basename(label))
    first, *others = inner.values() or [set[str]()]
    if len(first) < 2 or not others or "" in inner or any(names != first for names in others):
        return []
    return sorted(first)


def _labels_of(rows: Iterable[_Row], split: str | None) -> set[str]:
    return {row.label for row in rows if row.split == split and row.label and not row.file.is_folder}


def _drop_shared(rows: list[_Row], train: str | None) -> list[_Row]:
    """Returns `rows` without the innermost folder of their labels, if all labels of the own split `train` share it."""
    labels = _labels_of(rows, train)
    shared = {posixpath.basename(label) for label in labels}
    if len(labels) < 2 or len(shared) > 1 or not all("/" in label for label in labels):
        return rows
    ending = f"/{shared.pop()}"
    return _drop_shared([_Row(row.file, row.split, row.label.removesuffix(ending)) for row in rows], train)
