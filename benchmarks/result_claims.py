"""What docs/results.md tests: statements about two arms, and whether the rows bear them out."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from benchmarks.result_rows import Entry
from pipeline.compare import statistics, verdict
from pipeline.compare.statistics import Comparison
from pipeline.compare.verdict import Verdict

EQUIVALENCE = 0.01  # a difference, as a share, that does not matter

Entries = Mapping[tuple[str, int], Entry]  # (arm, seed) → entry, of one data set

# Expectation → the verdicts that bear it out. All others but 'cannot tell' contradict it.
_BORNE_OUT = {
    "better": ("better",),
    "worse": ("worse",),
    "not better": ("worse", "equal"),
    "not worse": ("better", "equal"),
}


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement about an arm and the one that it is compared with.

    Attributes:
      text: the statement.
      data: the data set.
      arm, reference: the arms.
      expected: what the arm is, compared with the reference, if the statement is true.
    """

    text: str
    data: str
    arm: str
    reference: str
    expected: Literal["better", "worse", "not better", "not worse"]


@dataclasses.dataclass(frozen=True)
class Judged:
    """An arm compared with another one.

    Attributes:
      seeds: those that both have.
      comparison: the difference.
      verdict: whether the arm is better; its p is adjusted for all that was judged with it.
    """

    seeds: tuple[int, ...]
    comparison: Comparison
    verdict: Verdict

    def describe(self, reference: str) -> str:
        """Returns the difference, its interval and the verdict in words."""
        return verdict.in_words(self.comparison, self.verdict, reference)


def _on_both(text: str, arm: str, reference: str, expected: Literal["better", "not worse"]) -> tuple[Claim, ...]:
    return tuple(Claim(text, data, arm, reference, expected) for data in ("glyphs", "photographs"))


PAPER = (
    *_on_both(
        "Pre-training on everything beats no pre-training (tables 3, 4)", "entire_source", "random_init", "better"
    ),
    *_on_both(
        "Pre-training on a matched sample beats everything (tables 3, 4)",
        "same_distribution",
        "entire_source",
        "better",
    ),
    Claim(
        "A matched sample is no worse than one of labels that a person chose (tables 3, 4)",
        "glyphs",
        "same_distribution",
        "label_subset",
        "not worse",
    ),
    Claim(
        "A matched sample is no worse than one chosen by earth mover's distance (table 5)",
        "glyphs",
        "same_distribution",
        "emd_subset",
        "not worse",
    ),
    Claim(
        "The weights matter: with the chosen labels all alike it is worse (table 6)",
        "glyphs",
        "uniform_labels",
        "same_distribution",
        "worse",
    ),
    Claim(
        "The weights matter: in reverse order they hurt (table 6)",
        "glyphs",
        "reversed_weights",
        "same_distribution",
        "worse",
    ),
    Claim(
        "The same distribution matcher saturates: three times the sample is no worse (figure 3)",
        "glyphs",
        "same_n_30000",
        "same_distribution",
        "not worse",
    ),
    Claim(
        "The elastic distribution matcher drops: three times the sample is worse (figure 3)",
        "glyphs",
        "elastic_n_30000",
        "elastic_distribution",
        "worse",
    ),
    Claim(
        "At the largest n the same distribution matcher beats the elastic one (figure 3)",
        "glyphs",
        "same_n_30000",
        "elastic_n_30000",
        "better",
    ),
    Claim("A third of the sample is worse (figure 3)", "glyphs", "same_n_3000", "same_distribution", "worse"),
)

# What the paper does not compare, and who wants to use the method should ask.
QUESTIONS = (
    *_on_both(
        "It is the matching, not the smaller set: a matched sample beats a uniform one of its size",
        "same_distribution",
        "uniform_subsample",
        "better",
    ),
    Claim(
        "A matched sample beats everything if that is trained as long as classifier and sample together",
        "glyphs",
        "same_distribution",
        "entire_source_total",
        "better",
    ),
    *_on_both(
        "A matched sample beats the source classifier, which is there anyway, fine-tuned as it is",
        "same_distribution",
        "source_classifier",
        "better",
    ),
    *_on_both(
        "A source classifier that goes on with the matched sample beats itself",
        "warm_start",
        "source_classifier",
        "better",
    ),
    *_on_both(
        "A source classifier that goes on with the matched sample beats the matched sample alone",
        "warm_start",
        "same_distribution",
        "better",
    ),
    Claim(
        "More than three times the steps (1,000) on everything are no better",
        "glyphs",
        "entire_1000_steps",
        "entire_source",
        "not better",
    ),
    Claim(
        "300 steps on a matched sample beat 1,000 on everything",
        "glyphs",
        "same_distribution",
        "entire_1000_steps",
        "better",
    ),
    Claim(
        "1,000 steps on a matched sample beat 1,000 on everything",
        "glyphs",
        "same_1000_steps",
        "entire_1000_steps",
        "better",
    ),
    Claim(
        "A matched sample beats weighing the loss of everything",
        "glyphs",
        "same_distribution",
        "weighted_loss",
        "better",
    ),
)


def compare(entries: Entries, arm: str, reference: str) -> tuple[tuple[int, ...], Comparison] | None:
    """Returns the seeds that both arms have, and their difference in test accuracy; None: they have none in common.

    Raises:
      ValueError: the cells were tested on different images.
    """
    seeds = tuple(sorted(seed for name, seed in entries if name == arm and (reference, seed) in entries))
    if not seeds:
        return None
    rows = [[entries[name, seed] for seed in seeds] for name in (arm, reference)]
    if len({entry.test_set for row in rows for entry in row}) > 1:
        raise ValueError(f"{arm}, {reference}: tested on different images; delete the rows of one test set")
    of_arm, of_reference = (np.stack([entry.correct for entry in row]).astype(np.float64) for row in rows)
    return seeds, statistics.compare(of_arm - of_reference)


def judge_arms(entries: Entries, arms: Sequence[str], reference: str) -> dict[str, Judged]:
    """Returns arm → how it compares with `reference`, of those that have a seed in common with it."""
    return _judge({arm: compare(entries, arm, reference) for arm in arms if arm != reference})


def judge_claims(entries: Mapping[str, Entries], claims: Sequence[Claim]) -> dict[Claim, Judged]:
    """Returns claim → how its arms compare, of those with rows; p is adjusted for all of them."""
    return _judge({claim: compare(entries[claim.data], claim.arm, claim.reference) for claim in claims})


def decide(claim: Claim, judged: Judged | None) -> str:
    """Returns 'HELD', 'NOT HELD', 'CANNOT TELL' or 'NOT AT HAND'."""
    if judged is None:
        return "NOT AT HAND"
    if judged.verdict.kind == "cannot tell":
        return "CANNOT TELL"
    return "HELD" if judged.verdict.kind in _BORNE_OUT[claim.expected] else "NOT HELD"


def _judge(compared: Mapping) -> dict:
    found = {key: pair for key, pair in compared.items() if pair is not None}
    verdicts = verdict.judge([comparison for _, comparison in found.values()], equivalence=EQUIVALENCE)
    return {
        key: Judged(seeds, comparison, judged)
        for (key, (seeds, comparison)), judged in zip(found.items(), verdicts, strict=True)
    }
