"""What the page's scripts read: the labels of the explorer and the training curves, as compact JSON. Pure."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from components.transfer_report import label_names, training_charts
from components.transfer_report.block import Block, Labels, Picture, Target

PRINTED = 25  # labels of the table that stands in for the explorer in print, and without scripts
_DIGITS = 6  # significant ones, of a number that a page shows


def make_payload(block: Block) -> dict[str, Any]:
    """Returns the data of the scripts.

    Texts and pictures that several targets share are there once: `vocabularies` has the names and the paths of labels,
    `pictures` the images, and the targets refer to both by number.
    """
    vocabularies: list[dict[str, Any]] = []
    pictures = _Pictures()
    targets = [_describe(target, vocabularies, pictures) for target in block.targets.values()]
    curves = {metric: training_charts.specify_curves(metric) for metric in ("loss", "accuracy")}
    has_curves = any(target.curves for target in block.targets.values())
    return {
        "targets": targets,
        "vocabularies": vocabularies,
        "pictures": pictures.uris,
        "curves": curves if has_curves else {},
    }


def to_script_json(value: Any) -> str:
    """Returns JSON that may stand in a script element: nothing in it ends the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


class _Pictures:
    """The pictures of the page, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    @property
    def uris(self) -> list[str]:
        """The pictures' data, by number."""
        return list(self._numbers)

    def add(self, picture: Picture) -> list[Any]:
        """Returns the number and the caption of a picture."""
        return [self._numbers.setdefault(picture.uri, len(self._numbers)), picture.caption or picture.id]


def _describe(target: Target, vocabularies: list[dict[str, Any]], pictures: _Pictures) -> dict[str, Any]:
    found: dict[str, Any] = {"name": target.name, "reports": training_charts.list_reports(target.curves)}
    labels = target.labels
    if labels is None:
        return found
    vocabulary = _describe_vocabulary(labels)
    if vocabulary not in vocabularies:
        vocabularies.append(vocabulary)
    columns = {
        "count": labels.counts,
        "source": labels.source_share,
        "target": labels.target_share,
        "low": labels.low,
        "high": labels.high,
        "weight": labels.weights,
        "drawn": labels.drawn,
        "unique": labels.unique,
        "repeats": labels.repeats,
    }
    return found | {
        "vocabulary": vocabularies.index(vocabulary),
        "arm": labels.arm,
        "columns": {name: list(map(_shorten, column)) for name, column in columns.items() if column},
        "flagged": [index for index, is_flagged in enumerate(labels.flagged) if is_flagged] if labels.flagged else None,
        "pictures": {str(index): list(map(pictures.add, shown)) for index, shown in target.thumbnails.items()},
    }


def _describe_vocabulary(labels: Labels) -> dict[str, Any]:
    numbers: Mapping[Sequence[str], int] = {path: i for i, path in enumerate(dict.fromkeys(labels.paths))}
    levels = label_names.group_levels(list(numbers))
    named = label_names.name_labels(labels.names, labels.paths)
    return {
        "names": [each.name for each in named],
        # Few labels need a code, and most sources have none that does.
        "codes": {str(index): [each.code, each.unicode] for index, each in enumerate(named) if each.code},
        "paths": [[list(path), *level] for path, level in zip(numbers, levels, strict=True)],
        "path": [numbers[path] for path in labels.paths],
    }


def _shorten(value: float | None) -> float | None:
    if value is None or value == 0 or isinstance(value, int):
        return value
    return round(value, _DIGITS - 1 - math.floor(math.log10(abs(value))))
