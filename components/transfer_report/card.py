"""The model card: what a run knows about a model, and marked gaps for what only a person knows. Pure.

The headings are those of Mitchell et al. 2019, Model Cards for Model Reporting, FAT* 2019, and one for weights that the
model starts from.
"""

import dataclasses
import itertools
import os
import re
from collections.abc import Sequence

from components.settings import did_you_mean
from components.transfer_report import claims, grounds, label_names, top_labels, words
from components.transfer_report.block import Block, Target

FILE_NAME = "model_card.md"
_BESIDE_MODEL = "assets.extra"  # in a SavedModel the place for what servers do not read
_SHOWN_CLASSES = 50
GAP = "To be filled in by a person"


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a card.

    Attributes:
      heading: its title.
      facts: (name, text) in their order; the name may be "".
      gaps: what only a person knows, each a question.
    """

    heading: str
    facts: tuple[tuple[str, str], ...] = ()
    gaps: tuple[str, ...] = ()


def make_card(block: Block, name: str) -> list[Section]:
    """Returns the card of a target's model; each section has a fact or a gap.

    Args:
      block: the data block.
      name: of the target.

    Raises:
      ValueError: there is no such target.
    """
    if name not in block.targets:
        known = ", ".join(block.targets)
        raise ValueError(f"target: {name!r} is not in the block{did_you_mean(name, block.targets)}; it has {known}")
    target = block.targets[name]
    return [
        _describe_model(block, target),
        Section(
            "Intended use",
            (("Task", f"Classification of images into one of {len(target.classes):,} classes."),),
            ("Who is to use it, and for what?", "What must it not be used for?"),
        ),
        Section(
            "Factors",
            (("Classes", _list_names(target.classes)),),
            ("Which groups of people, devices or conditions of recording could change its results?",),
        ),
        _describe_metrics(block, target),
        Section(
            "Evaluation data",
            (
                ("Split", f"{target.split}, {words.count(target.images.get(target.split))} images"),
                *(("Found in the data", finding) for finding in target.findings),
            ),
            ("Where do the images come from, and do they stand for those of its use?",),
        ),
        _describe_training(block, target),
        Section("Quantitative analyses", _list_results(target) or (("Results", "No arm has a result."),)),
        _describe_weights(block),
        Section("Ethical considerations", (), ("Whom could a wrong answer harm? Who agreed to the images?",)),
        Section(
            "Caveats and recommendations",
            tuple(("", text) for text in _list_caveats(block, target))
            + tuple(("Missing", f"{gap.what}: {gap.why}") for gap in block.missing if gap.target in ("", name)),
            ("When is it to be trained again, and on what sign?",),
        ),
    ]


def render_card(block: Block, target: str | None = None) -> str:
    """Returns the model card in Markdown (CommonMark).

    Args:
      block: the data block.
      target: the one whose model it is of; None: one card after the other.

    Raises:
      ValueError: there is no such target.
    """
    names = list(block.targets) if target is None else [target]
    parts = []
    for name in names:
        sections = make_card(block, name)
        served = block.targets[name].verdict.served
        parts += [f"# Model card: {escape(name)}", _escape_prose(describe_gaps(sections, served))]
        total, numbers = count_gaps(sections), itertools.count(1)
        for section in sections:
            parts.append(f"## {section.heading}")
            lines = [
                f"- **{escape(key)}**: {escape(text)}" if key else f"- {_escape_prose(text)}"
                for key, text in section.facts
            ]
            lines += [f"- **{GAP}** ({next(numbers)} of {total}): {gap}" for gap in section.gaps]
            parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def count_gaps(sections: Sequence[Section]) -> int:
    """Returns how many answers of a card are missing."""
    return sum(len(section.gaps) for section in sections)


def find_path(served: str) -> str:
    """Returns the path of the card beside a model.

    Args:
      served: the folder of its version, a SavedModel.
    """
    return os.path.join(served, _BESIDE_MODEL, FILE_NAME)


def describe_gaps(sections: Sequence[Section], served: str | None) -> str:
    """Returns sentences on how many answers of a card are missing, and where to write them; "" without any.

    Args:
      sections: of the card.
      served: the folder of the version that is served; None: the model is not.
    """
    number = count_gaps(sections)
    if not number:
        return ""
    place = f"`{FILE_NAME}` beside the report"
    if served:
        place = f"`{find_path(served)}`: this copy goes with the served model, not the one beside the report"
    return (
        f"{words.plural(number, 'answer')} only a person can give, marked `{GAP}`. Write them into {place}. A new run "
        "makes a new card: keep a copy of what you write."
    )


def escape(text: str) -> str:
    """Returns text as Markdown shows it: no markup of its own, and on one line."""
    line = re.sub(r"\s+", " ", text)
    # An underscore or a hyphen inside a word is none.
    return re.sub(r"[\\`*\[\]<>|~$&]|(?<!\w)[_#+-]|_(?!\w)", lambda found: "\\" + found.group(), line)


def _escape_prose(text: str) -> str:
    """Returns a sentence of ours as Markdown shows it; what stands in `backticks` is code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its other one
        return escape(text)
    return "".join(f"`{piece}`" if i % 2 else escape(piece) for i, piece in enumerate(pieces))


def _describe_model(block: Block, target: Target) -> Section:
    verdict = target.verdict
    arm = next((arm for arm in target.arms if arm.name == (verdict.pushed_arm or verdict.arm)), None)
    facts = [("Name", target.name), ("Made", words.moment(block.made))]
    if arm is not None:
        facts.append(("Arm", f"{arm.name}{f': {arm.description}' if arm.description else ''}"))
    facts += [(key, text) for key, text in target.facts.items()]
    if verdict.served:
        facts.append(("Served from", verdict.served))
    elif verdict.why_not:
        facts.append(("Not served", verdict.why_not))
    facts += [("Software", ", ".join(f"{name} {version}" for name, version in block.versions.items()))]
    return Section(
        "Model details",
        tuple((key, text) for key, text in facts if text),
        ("Who made it, under which licence, and whom to ask?",),
    )


def _list_caveats(block: Block, target: Target) -> list[str]:
    """Returns what to bear in mind; what follows from the results stands with them."""
    duplicates = grounds.explain_duplicates(block)
    return [*grounds.explain_budget(target), *([duplicates] if duplicates else []), *block.caveats]


def _describe_metrics(block: Block, target: Target) -> Section:
    return Section(
        "Metrics",
        (
            ("Reported", f"{words.name_metric(target.metric)} on {target.split}"),
            ("Chosen on", "eval; the reported split has no part in the choice" if target.split != "eval" else "eval"),
            ("Intervals", _describe_intervals(block, target)),
        ),
    )


def _describe_intervals(block: Block, target: Target) -> str:
    if any(arm.difference_low is not None for arm in target.arms):
        return f"{block.level:.0%}, of differences, from seeds and images"
    if any(arm.images_low is not None for arm in target.arms):
        return (
            f"{block.level:.0%}, of differences, from the {target.split} images alone: one seed does not show how "
            "others would differ"
        )
    return "none"


def _describe_training(block: Block, target: Target) -> Section:
    facts = [(f"Target, {split}", words.plural(number, "image")) for split, number in target.images.items()]
    gaps = ("Under which licence are the target's images?",)
    if block.source is not None:
        for split, number in block.source.images.items():
            excluded = block.source.excluded.get(split)
            without = f", {words.count(excluded)} of them excluded as near-duplicates" if excluded else ""
            facts.append((f"Source, {split}", f"{words.plural(number, 'image')}{without}"))
        facts.append(("Source labels", words.count(block.source.labels)))
        gaps = ("Under which licences are the source's and the target's images?",)
    if target.labels is not None:
        named = label_names.name_labels(target.labels.names, target.labels.paths)
        found = top_labels.find_top_labels(target.labels)
        top = ", ".join(f"{named[label.index].text}: {label.share}" for label in found)
        facts.append(("Source labels with the largest share of the target", top))
    facts += [(f"Set aside: {aside.reason}", words.plural(aside.count, "image")) for aside in target.set_aside]
    return Section("Training data", tuple(facts), gaps)


def _list_results(target: Target) -> tuple[tuple[str, str], ...]:
    found, reference = [], claims.find_reference(target)
    for arm in target.arms:
        if arm.mean is None:
            continue
        text = f"{words.percent(arm.mean)} over {words.plural(len(arm.seeds), 'seed')}"
        if arm.reference:
            text += ", with which the others are compared"
        elif (difference := claims.subtract(arm, reference)) is not None:
            known = words.interval(arm.difference_low, arm.difference_high)
            if known == words.UNKNOWN:
                known = words.interval(arm.images_low, arm.images_high)
            text += f", {words.points(difference)} points"
            text += f" ({known})" if known != words.UNKNOWN else ""
        found.append((arm.name, text))
    if target.confusion is not None:
        pairs = []
        for pair in target.confusion.pairs[:3]:
            true, predicted = words.isolate(pair.true), words.isolate(pair.predicted)
            pairs.append(f"{true} taken for {predicted} ({words.plural(pair.count, 'image')})")
        found += [("Confused", ", ".join(pairs))] if pairs else []
    return tuple(found)


def _describe_weights(block: Block) -> Section:
    if not block.weights:
        return Section("Published weights", (("Weights", "None: all training started from random weights."),))
    facts, gaps = [], []
    for weights in block.weights:
        for key, text in (("file", weights.path), ("SHA-256", weights.sha256), ("source", weights.source)):
            facts.append((f"{weights.key}, {key}", text or "not known"))
        if weights.licence:
            facts.append((f"{weights.key}, licence", weights.licence))
        else:
            gaps.append(f"Under which licence are the weights of {weights.key}?")
    return Section("Published weights", tuple(facts), tuple(gaps))


def _list_names(names: Sequence[str]) -> str:
    shown = ", ".join(words.isolate(words.show(name)) for name in names[:_SHOWN_CLASSES])
    more = len(names) - _SHOWN_CLASSES
    return f"{shown} and {more:,} more" if more > 0 else shown
