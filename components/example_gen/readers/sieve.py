"""Which files are data: not what systems leave behind, nor what stands beside images, nor what is excluded."""

import collections
import fnmatch
import functools
import itertools
import posixpath
import re
from collections.abc import Sequence

from components.artifacts import findings
from components.artifacts.findings import Finding

# Names of files and folders, in any case, and who leaves them. From the templates for macOS, Windows and Linux of
# github.com/github/gitignore, and for NAS boxes from what Synology, QNAP and NetApp say of their shared folders.
LITTER = {
    "._*": "macOS: attributes of a file, on other file systems",
    ".DS_Store": "macOS: how a folder is shown",
    "__MACOSX": "macOS: attributes of files, in a zip archive",
    "Icon\r": "macOS: the icon of a folder",
    "Network Trash Folder": "macOS: the bin of a share",
    "Temporary Items": "macOS: on a share",
    "Thumbs.db": "Windows: thumbnails",
    "ehthumbs*.db": "Windows: thumbnails of the Media Center",
    "desktop.ini": "Windows: how a folder is shown",
    "$RECYCLE.BIN": "Windows: the bin",
    "RECYCLER": "Windows: the bin, before Vista",
    "System Volume Information": "Windows: restore points and the search index",
    "FOUND.[0-9][0-9][0-9]": "Windows: what chkdsk has found",
    "lost+found": "Linux: what fsck has found",
    "*~": "Linux: copies that editors make",
    "~$*": "Microsoft Office: an open file",
    "__pycache__": "Python: compiled programs",
    "Picasa.ini": "Picasa: what was edited",
    "@eaDir": "Synology: thumbnails and the search index",
    "@tmp": "Synology: temporary files",
    "#recycle": "Synology: the bin",
    "#snapshot": "Synology: earlier states",
    "@Recycle": "QNAP: the bin",
    "@Recently-Snapshot": "QNAP: earlier states",
    "@transcode": "QNAP: converted videos",
    "*@__thumb": "QNAP: thumbnails",
    "~snapshot": "NetApp: earlier states",
}
HIDDEN = ".*"
WILD = re.compile(r"[*?[]")
# What data sets have beside their images: notes, annotations, features, archives, programs and recordings.
_SIDE_FILES = """
    .txt .md .rst .csv .tsv .json .jsonl .xml .yaml .yml .html .htm .pdf .doc .docx .xls .xlsx .log .ini .cfg
    .mat .npy .npz .pkl .pickle .h5 .hdf5 .parquet .arrow .db .sqlite .zip .tar .gz .tgz .bz2 .xz .7z .rar
    .md5 .sha1 .sha256 .sha512 .py .ipynb .sh .m .mp3 .wav .mp4 .avi .mov .mkv .aae .xmp .cache
"""
SIDE_FILES = frozenset(_SIDE_FILES.split())
# In any case.
_SIDE_NAMES = """
    readme license licence copying notice authors changelog citation checksums md5sum md5sums sha1sum sha1sums sha256sum
    sha256sums sha512sum sha512sums
"""
SIDE_NAMES = frozenset(_SIDE_NAMES.split())
_IMAGE_ENDINGS = """
    .jpg .jpeg .jpe .jfif .png .gif .bmp .tif .tiff .webp .heic .avif .jp2 .ppm .pgm .pbm
"""
IMAGE_ENDINGS = frozenset(_IMAGE_ENDINGS.split())


def is_called_like_image(path: str) -> bool:
    """Returns whether a file is called like an image, by the ending of its name."""
    return posixpath.splitext(path)[1].lower() in IMAGE_ENDINGS


class Sieve:
    """Tells which files are data, and counts the others.

    Args:
      exclude: patterns of paths that are no data, of files or of folders. `*` stands for any text, with slashes or
        without.
      hidden: whether names that begin with a dot are litter.
      side_files: whether SIDE_FILES and SIDE_NAMES are left out.
    """

    def __init__(self, exclude: Sequence[str] = (), *, hidden: bool = True, side_files: bool = True):
        self._names = {name.casefold(): name for name in LITTER if not WILD.search(name)}
        self._wild = [*filter(WILD.search, LITTER), *([HIDDEN] if hidden else [])]
        # One expression, since millions of names are matched.
        self._wild_name = re.compile("|".join(f"({fnmatch.translate(name.casefold())})" for name in self._wild))
        self._exclude = {pattern: re.compile(fnmatch.translate(pattern)) for pattern in exclude}
        self._has_side_files = side_files
        self._litter: dict[str, set[str]] = collections.defaultdict(set)  # pattern → paths
        self._side_files: collections.Counter[str] = collections.Counter()
        self._excluded: collections.Counter[str] = collections.Counter()
        # Once for a folder is enough.
        self._find_folder = functools.cache(self._find_litter)
        self._find_excluding = functools.cache(self._find_excluded)

    def takes_folder(self, path: str) -> bool:
        """Returns whether there may be data in the folder `path`, judged by its own name alone."""
        pattern = self._match(posixpath.basename(path))
        if pattern is not None:
            self._litter[pattern].add(path)
        return pattern is None

    def sift(self, path: str) -> str | None:
        """Returns why the file `path` is no data: excluded, litter or side_files; None: it is."""
        folder, _, name = path.rpartition("/")
        excluding = self._match_exclude(path) or self._find_excluding(folder)
        if excluding is not None:
            self._excluded[excluding] += 1
            return "excluded"
        litter, pattern = self._find_folder(folder)
        if pattern is None:
            litter, pattern = path, self._match(name)
        if pattern is not None:
            self._litter[pattern].add(litter)
            return "litter"
        stem, _, ending = name.rpartition(".")
        suffix = f".{ending.lower()}"
        kind = suffix if stem and suffix in SIDE_FILES else name if name.lower() in SIDE_NAMES else None
        if self._has_side_files and kind is not None:
            self._side_files[kind] += 1
            return "side_files"
        return None

    def findings(self) -> list[Finding]:
        """Returns what was left out so far, and the patterns of `exclude` that no file has."""
        litter = {pattern: len(paths) for pattern, paths in self._litter.items()}
        return [
            *findings.list_counts("litter", litter),
            *findings.list_counts("side_files", self._side_files),
            *findings.list_counts("excluded", self._excluded),
            *findings.list_names("exclude_nothing", [p for p in self._exclude if not self._excluded[p]]),
        ]

    def _find_litter(self, path: str) -> tuple[str, str | None]:
        """Returns the first folder on the way to `path` that is litter, and its pattern; None if there is none."""
        parts = path.split("/")
        for depth, name in enumerate(parts, 1):
            if pattern := self._match(name):
                return "/".join(parts[:depth]), pattern
        return "", None

    def _find_excluded(self, path: str) -> str | None:
        """Returns the pattern of `exclude` that a folder on the way to `path` has, or it itself."""
        ways = itertools.accumulate(path.split("/"), "{}/{}".format)
        return next(filter(None, map(self._match_exclude, ways)), None)

    def _match_exclude(self, path: str) -> str | None:
        return next((pattern for pattern, found in self._exclude.items() if found.match(path)), None)

    def _match(self, name: str) -> str | None:
        name = name.casefold()
        if exact := self._names.get(name):
            return exact
        found = self._wild_name.match(name)
        return self._wild[found.lastindex - 1] if found and found.lastindex else None
