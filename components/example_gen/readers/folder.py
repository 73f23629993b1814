"""A folder of images, with a folder a class; folders in folders are a hierarchy."""

import posixpath
from collections.abc import Iterable, Iterator

import pyarrow as pa

from components.artifacts import findings, vocabulary
from components.example_gen import splits
from components.example_gen.readers import files, listing

# A folder of such a name is hardly a class.
_LIKE_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "eval", "dev", "test", "testing"})
# What people put beside images; else the suffix does not matter.
_NOTES = frozenset({".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".html", ".pdf", ".zip", ".log"})


class FolderReader(files.FileReader):
    """A folder of images, with a folder for each class.

    The label of an image is the path of its folder, as in `bird/owl`; its parents are the folders above it (`bird`).
    The id of an image is its path. Hidden files and files outside the class folders are ignored. Links are not followed
    out of the folder, nor to other folders.

    Attributes:
      folder: path or URI of the folder.
      splits: A split of the data is a folder in it, which holds the class folders.
    """

    folder: str

    def fingerprint(self) -> str:
        """See `Reader.fingerprint`."""
        files = self._files(listing.list_files(self.folder))
        return listing.hash_entries(file for file, _, label in files if label or file.is_folder)

    def list_images(self) -> files.Listing:
        """See `FileReader.list_images`.

        Raises:
          ValueError: there is no such folder or split, no class folder, or one whose images cannot be listed.
        """
        below = listing.list_files(self.folder)
        found = list(self._files(below))
        self._check(below, found)
        names = _labels(found)
        index = {name: i for i, name in enumerate(names)}
        strays = [file.path for file, _, label in found if label not in index and file.refused is None]
        kept = [row for row in found if row[2] in index or row[0].refused is not None]
        columns = {
            "source_id": [file.path for file, _, _ in kept],
            "uri": [listing.join(self.folder, file.path) for file, _, _ in kept],
            "labels": [[index[label]] if label in index else [] for _, _, label in kept],
            "split": [split for _, split, _ in kept],
            "bytes": [file.size for file, _, _ in kept],
            "refused": [file.refused for file, _, _ in kept],
        }
        labels = vocabulary.make_vocabulary(names, {name: _above(name) for name in names})
        return files.Listing(pa.table(columns, schema=files.SCHEMA), labels, findings.list_names("stray_files", strays))

    def _files(self, below: Iterable[listing.File]) -> Iterator[tuple[listing.File, str | None, str]]:
        """Yields (file, own split, the folders that it is in), of the splits that are asked for."""
        own = self._own()
        for file in below:
            top, _, rest = file.path.partition("/")
            if not own or top in own:
                yield file, top if own else None, posixpath.dirname(rest if own else file.path)

    def _own(self) -> set[str]:
        return {rule.own for rule in splits.parse_rules(self.splits).values() if rule.own is not None}

    def _check(self, below: list[listing.File], found: list[tuple[listing.File, str | None, str]]) -> None:
        own = self._own()
        for file, _, label in found:
            # Further down, a link is set aside like any file that leads out; of a folder that should be a class, or
            # that cannot be read, nobody would miss the images.
            if file.is_folder and file.refused and (not label or file.refused.startswith("unreadable")):
                _, _, why = file.refused.partition(": ")
                raise ValueError(
                    f"folder: {file.path!r} in {self.folder!r} is a folder whose images cannot be taken: {why}; put "
                    "the images there, make it readable, or take it away"
                )
        tops = {file.path.partition("/")[0] for file in below if file.path.count("/") > bool(own)}
        for ours, expression in self.splits.items() if own else ():
            name = splits.parse_rules({ours: expression})[ours].own
            if not any(split == name and label for _, split, label in found):
                raise ValueError(
                    f"splits.{ours}: {self.folder!r} has no folder {name!r} with class folders in it; its folders are "
                    f"{', '.join(sorted(tops)) or 'none'}"
                )
        if not any(label for _, _, label in found):
            raise ValueError(f"folder: {self.folder!r} has no class folders; images have to be in a folder a class")
        if not own and len(tops) > 1 and tops <= _LIKE_SPLITS:
            raise ValueError(
                f"splits: {dict(self.splits)} are shares, but the folders of {self.folder!r} are its splits: "
                f"{', '.join(sorted(tops))}; name them instead"
            )


def _labels(found: Iterable[tuple[listing.File, str | None, str]]) -> list[str]:
    """Returns the folders that are labels, sorted.

    A folder with further ones in it is a label of its own only if it holds more than notes of whoever made the data.
    """
    files_of = [(file, label) for file, _, label in found if label and not file.is_folder]
    folders = {label for _, label in files_of}
    inner = {above for label in folders for above in _above(label)}
    more = {label for file, label in files_of if posixpath.splitext(file.path)[1].lower() not in _NOTES}
    return sorted(folders & (more | (folders - inner)))


def _above(label: str) -> list[str]:
    """Returns the folders above a label's, the nearest first."""
    parts = label.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
