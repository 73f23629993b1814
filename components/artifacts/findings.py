"""Findings: what is suspicious in a data set, but no error. Pure.

A reader finds something while it lists its data (`Contents.findings`); the report on an index finds the rest. All of it
stands in the report's summary, and `specialist data` and `specialist run` tell it in the words of this module.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

_NOT_IN_CACHE_KEYS = "it tells what is found, and decides nothing of it"
_SHOWN = 5  # examples of a finding


class Kind(NamedTuple):
    """What findings of a kind say.

    Attributes:
      words: what is counted.
      advice: what to do about it.
      is_warning: whether it is suspicious; else it is told for information.
    """

    words: str
    advice: str = ""
    is_warning: bool = True


_ONE_NAME = "if they are one label, give them one name"
KINDS = {
    "alike": Kind("labels that look alike", _ONE_NAME),
    "alike_case": Kind("labels that differ only in case", _ONE_NAME),
    "alike_composed": Kind("labels that differ only in how Unicode writes the same characters", _ONE_NAME),
    "alike_spaces": Kind("labels that differ only in spaces", _ONE_NAME),
    "alike_unseen": Kind("labels that differ only in characters that are not seen", _ONE_NAME),
    "empty_file": Kind("record files without a byte", "they count as files without records"),
    "empty_folders": Kind("folders without an image, which are no labels"),
    "exclude_nothing": Kind("patterns of exclude that match no file"),
    "excluded": Kind("files that exclude leaves out", is_warning=False),
    "flattened": Kind(
        "images of 16 bits that become nearly of one value, because white is 65535",
        "set scale_16_bit: range, which stretches the values of each image to black and white",
    ),
    "generations": Kind(
        "record files of one name that say different numbers of files",
        "if some are older, name the others in the pattern, as in train-*-of-00003",
    ),
    "in_every_class": Kind(
        "folders that every class has, and that are labels of their own",
        "if they are no classes, leave them out with exclude",
        is_warning=False,
    ),
    "linked": Kind("links that lead out of the folder, and are followed", is_warning=False),
    "litter": Kind("files and folders that systems leave behind, which are ignored", is_warning=False),
    "one_label": Kind(
        "labels in the sample of train", "if train has no other, a run stops, because a classifier needs two"
    ),
    "pooled": Kind(
        "folders that are splits, whose images are pooled, since splits are shares",
        "name the folders in splits to keep them apart",
    ),
    "long_rows": Kind("rows of several lines", "if they should be several rows, a quote is missing"),
    "repeated_image": Kind("images that the split has under another id too, byte for byte"),
    "same_id": Kind("ids in both splits"),
    "same_image": Kind("images in both splits, byte for byte"),
    "set_aside": Kind("images set aside"),
    "set_aside_copies": Kind("images set aside that are equal to one that stays", is_warning=False),
    "single_image": Kind("labels with a single image in train", "give them more, or leave them out"),
    "side_files": Kind("files beside the images, which are ignored", is_warning=False),
    "split_like": Kind(
        "folders that are called like splits, and are labels or parts of such",
        "if they are splits, name them in splits, or write a manifest",
    ),
    "stray_files": Kind("images in no class folder, which are not looked at"),
    "stray_others": Kind("other files in no class folder, which are not looked at", is_warning=False),
    "unused_folders": Kind("files in folders beside those of the splits, which are not looked at"),
    "unused_splits": Kind("rows of splits that are not asked for, which are not looked at", is_warning=False),
    "without_train": Kind(
        "labels without an image in train", "nothing can be learned of them, and each of their images is answered wrong"
    ),
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that was found.

    Attributes:
      kind: a key of KINDS.
      count: how often.
      examples: some of what was found, or numbers by reason.
      where: the split or the splits that it concerns; empty: all of the data.
    """

    kind: str
    count: int
    examples: tuple[str, ...] = ()
    where: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether it is suspicious."""
        return KINDS[self.kind].is_warning


def list_names(kind: str, names: Iterable[str], where: str = "") -> list[Finding]:
    """Returns the finding of `names`, the first of which are its examples; none if there are no names."""
    names = list(names)
    return [Finding(kind, len(names), _shorten(names), where)] if names else []


def list_counts(kind: str, counts: Mapping[str, int], where: str = "") -> list[Finding]:
    """Returns the finding of `counts`, the largest of which are its examples; none if all are 0."""
    most_first = sorted(
        ((count, name) for name, count in counts.items() if count), key=lambda pair: (-pair[0], pair[1])
    )
    texts = [f"{name} {count:,}" for count, name in most_first]
    return [Finding(kind, sum(counts.values()), _shorten(texts), where)] if texts else []


def describe(finding: Finding, show: Callable[[str], str] = str) -> str:
    """Returns a line that tells `finding`. `show` makes an example fit to be displayed."""
    kind = KINDS[finding.kind]
    where = f"{finding.where}: " if finding.where else ""
    examples = f" ({', '.join(map(show, finding.examples))})" if finding.examples else ""
    return f"{where}{kind.words}: {finding.count:,}{examples}{f'; {kind.advice}' if kind.advice else ''}"


def load(rows: Iterable[Mapping]) -> list[Finding]:
    """Returns the findings of `rows`, which are those of `dataclasses.asdict`, read from JSON."""
    return [Finding(**{**row, "examples": tuple(row["examples"])}) for row in rows]


def _shorten(texts: list[str]) -> tuple[str, ...]:
    return (*texts[:_SHOWN], *(["…"] if len(texts) > _SHOWN else []))
