"""The page docs/results.md, and the table of the README, from the rows there are. What has no rows is marked."""

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from benchmarks import result_claims
from benchmarks.result_claims import EQUIVALENCE, Claim, Entries
from pipeline.compare import arms as arms_module
from pipeline.compare.arms import Arm
from pipeline.compare.layout import Table, count, describe_margin, points, show_value

REFERENCE = "entire_source"
GAP = "not at hand"
HEADLINE = (
    "random_init",
    "entire_source",
    "uniform_subsample",
    "same_distribution",
    "entire_source_total",
    "source_classifier",
    "warm_start",
)
# Arms of a network that exists already. They have a table of their own.
EXISTING = (
    "published_finetune",
    "published_warm_start",
    "linear_probe",
    "knn",
    "classifier_linear_probe",
    "classifier_knn",
)
_BESIDE_EXISTING = (REFERENCE, "random_init", "same_distribution", "source_classifier", "warm_start")
_DIFFERENCE = "difference in points"


@dataclasses.dataclass(frozen=True)
class Factor:
    """A table in which one setting varies.

    Attributes:
      title: of the table.
      reference: the arm with the preset's value.
      values: arm → its value, in the order of the rows.
    """

    title: str
    reference: str
    values: Mapping[str, str]


FACTORS = (
    Factor(
        "Temperature T of P_t; the paper's is 2",
        "same_distribution",
        {"temperature_1": "1", "same_distribution": "2", "temperature_fitted": "fitted"},
    ),
    Factor(
        "Estimator of P_t, each with the fitted temperature",
        "temperature_fitted",
        {"temperature_fitted": "mean_prediction", "estimator_em": "em", "estimator_bbse": "bbse"},
    ),
    Factor(
        "Size n of the sample, same distribution matcher",
        "same_distribution",
        {"same_n_3000": "3,000", "same_distribution": "10,000", "same_n_30000": "30,000"},
    ),
    Factor(
        "Size n of the sample, elastic distribution matcher",
        "elastic_distribution",
        {"elastic_n_3000": "3,000", "elastic_distribution": "10,000", "elastic_n_30000": "30,000"},
    ),
    Factor(
        "Steps of the pre-training on everything",
        "entire_source",
        {"entire_100_steps": "100", "entire_source": "300", "entire_1000_steps": "1,000"},
    ),
    Factor(
        "Steps of the pre-training on the matched sample",
        "same_distribution",
        {"same_100_steps": "100", "same_distribution": "300", "same_1000_steps": "1,000"},
    ),
)

_INTRODUCTION = """\
# Results

What the method gains on two small problems, measured with this code. Each figure is from rows in
[`benchmarks/results`](../benchmarks/results); `python -m benchmarks.results` trains what is missing and writes this
page. {state}

**Read this first.** Both problems are tiny: 32 × 32 pixels, a network of six convolutions, some hundred steps. The
paper has millions of images and of steps; what holds here may not hold there, and the reverse. The first problem was
made to show the method, and a prototype on it chose the settings, so that it is no independent evidence. The second one
took its settings from the first as they were. Neither says what the method does for your data: `specialist compare`
does.

- Each seed has a source classifier and a P_t of its own, and each arm of it its own sample, pre-training and
  fine-tuning. The train split of the target is one and the same.
- ± is the 95% interval over seeds, on these test images. [ ] is the 95% interval over seeds and test images.
- A verdict is adjusted for the number of comparisons in its table (Holm). 'equal' means that all of the interval is
  less than {margin} from 0. 'cannot tell' says what would tell; it does not mean 'equal'.
- The learning rates are the same for all arms. None has the best one for itself.
"""

_PUBLISHED = """\
## What the paper says, and what came out here

Published, to compare with: over six targets a matched sample gained 4.3 points over everything with JFT and
Inception-v3 (95% t interval of the six 1.6 to 7.1), and 2.2 with AmoebaNet-B (0.3 to 4.1); with ImageNet as the source
0.05 (−0.7 to 0.8) and −0.3 (−1.1 to 0.4). Means of 5 fine-tunings of one pre-trained network each; the paper prints no
spread.
"""

_GLYPHS = """\
The source are 76,419 printed characters of 770 labels, the target scikit-learn's scans of digits: 10 train images a
class, 400 eval, 1,297 test. It is the data of `make demo`. The labels of `label_subset` are the digits and the Latin
letters.
"""

_EXISTING = """\
What one would do instead. The published network is `compact_cnn`, trained on Fashion-MNIST's 60,000 photographs of
clothes as the source classifiers are on the glyphs: it has seen no character and no digit
([`benchmarks/published.py`](../benchmarks/published.py)). `published_finetune` fine-tunes it; `published_warm_start`
pre-trains it on the matched sample first; `linear_probe` and `knn` are a logistic regression and a vote of the nearest
train images on its features as they are, and `classifier_…` the same on those of the source classifier. What it was
trained on is in no column: whoever uses such a network has not paid for it. It is one for all seeds, and a probe draws
nothing, so that the ± 0.0 of two of them is no precision. A network of this size, of other photographs, says little
about those that are really published.
"""

_PHOTOGRAPHS = """\
The source has all 76,419 printed characters and 5,000 photographs of clothes, 1,000 of each of five of
Fashion-MNIST's classes (t-shirt, pullover, coat, sandal, bag): 6% of it, so that they have to be found. The target has
the other five (trouser, dress, shirt, sneaker, ankle boot): 20 train images a class, 400 eval, and all 5,000 test
images. The recipes are those of the digits. Source and target are of one collection, so that the match is closer than
most will have. The filter of near-duplicates is on, as it is by default: it keeps out 443 of the 5,000, whose
perceptual hash is near that of one of the target's images.
"""

_LIMITS = """\
## What is not here

- **Natural photographs, large networks, long trainings, other learning rates.** None was tried.
- **Several targets.** A verdict is about one target. The paper's own mean over six targets has a wide interval with JFT
  as the source, and includes 0 with ImageNet.
- **Another draw of the target's train images.** 100 others would give other differences. No interval here says how
  far.
- **Networks that are really published.** Whoever can start from one should compare with it first: `backbone.weights`.
"""


def make_headline(entries: Entries) -> str:
    """Returns the table of the README in Markdown: of printed characters → handwritten digits."""
    found, judged = _select(entries), result_claims.judge_arms(entries, HEADLINE, REFERENCE)
    rows = []
    for name in HEADLINE:
        if name not in found:
            rows.append((name, GAP, "", ""))
            continue
        arm, difference = found[name], "reference"
        if name in judged:
            comparison, verdict = judged[name].comparison, judged[name].verdict.kind
            ends = f" [{points(comparison.low)}, {points(comparison.high)}]" if comparison.is_known else ""
            difference = f"{points(comparison.difference)}{ends}: {verdict}"
        value = f"{show_value(arm.value, arm.half_width)} ({len(arm.seeds)} seed{'s' * (len(arm.seeds) > 1)})"
        rows.append((name, value, difference, count(arm.total_images)))
    columns = ("arm", "test accuracy in %", f"{_DIFFERENCE} to {REFERENCE}", "images in all")
    title = "Printed characters → handwritten digits, 100 train and 1,297 test images"
    return Table(title, columns, tuple(rows), columns[1:3]).to_markdown()


def make_page(entries: Mapping[str, Entries], wanted: Sequence[tuple[str, str, int]]) -> str:
    """Returns the page in Markdown.

    Args:
      entries: data set → its entries.
      wanted: (data, arm, seed) of all cells that the page is meant to have.
    """
    glyphs, photographs = entries["glyphs"], entries["photographs"]
    every = list(dict.fromkeys(wanted))
    missing = [(data, arm) for data, arm, seed in every if (arm, seed) not in entries[data]]
    state = f"All {len(every)} cells are at hand."
    if missing:
        state = f"**{len(missing)} of {len(every)} cells are not at hand yet:** [which ones](#gaps)."
    parts = [
        _INTRODUCTION.format(state=state, margin=describe_margin(EQUIVALENCE)),
        _PUBLISHED,
        *_make_claims(entries, result_claims.PAPER, "Claims of the paper"),
        "## What one should ask besides\n",
        *_make_claims(entries, result_claims.QUESTIONS, "Statements that would make the method worth its cost"),
        "## Printed characters → handwritten digits\n",
        _GLYPHS,
        *_make_arms(glyphs, _list_arms(wanted, "glyphs"), "Test accuracy in %"),
        "### One factor at a time\n",
        *(_make_factor(glyphs, factor) for factor in FACTORS),
        "### A network that exists already\n",
        _EXISTING,
        *_make_arms(glyphs, (*_BESIDE_EXISTING, *EXISTING), "Test accuracy in %"),
        "## Photographs of clothes\n",
        _PHOTOGRAPHS,
        *_make_arms(photographs, _list_arms(wanted, "photographs"), "Test accuracy in %"),
        _LIMITS,
        "## Machine, code and hours\n",
        *_describe_origin(entries),
        *(
            ["## Gaps\n", "Cells that are not at hand, with the number of seeds.\n", *_list_gaps(missing)]
            if missing
            else []
        ),
    ]
    return "\n".join(parts)


def _list_gaps(missing: Sequence[tuple[str, str]]) -> Iterator[str]:
    for data in dict.fromkeys(data for data, _ in missing):
        found = collections.Counter(arm for of, arm in missing if of == data)
        yield f"- {data}: {', '.join(f'{arm} {number}' for arm, number in found.items())}"
    yield ""


def _list_arms(wanted: Sequence[tuple[str, str, int]], data: str) -> list[str]:
    """Returns the arms of a data set without those that have tables of their own, the reference first."""
    of_factors = {arm for factor in FACTORS for arm in factor.values}
    presets = {factor.reference for factor in FACTORS} - {"temperature_fitted"}
    apart = {*(of_factors - presets), *EXISTING}
    names = dict.fromkeys(arm for of, arm, _ in wanted if of == data and arm not in apart)
    return sorted(names, key=lambda name: name != REFERENCE)


def _select(entries: Entries) -> dict[str, Arm]:
    """Returns arm → its values and costs. Each may have seeds of its own."""
    found: dict[str, Arm] = {}
    for name in dict.fromkeys(arm for arm, _ in entries):
        results = [entry.result for (arm, _), entry in sorted(entries.items()) if arm == name]
        for arms in arms_module.select(results).arms.values():
            found |= arms
    return found


def _make_claims(entries: Mapping[str, Entries], claims: Sequence[Claim], title: str) -> Iterator[str]:
    judged = result_claims.judge_claims(entries, claims)
    outcomes = {claim: result_claims.decide(claim, judged.get(claim)) for claim in claims}
    counts = collections.Counter(outcomes.values())
    yield (
        f"Of {len(claims)} statements {counts['HELD']} held and {counts['NOT HELD']} did not. Of "
        f"{counts['CANNOT TELL']} these rows cannot tell, and of {counts['NOT AT HAND']} there are no rows yet.\n"
    )
    rows = []
    for claim in claims:
        difference, seeds = "", ""
        if claim in judged:
            difference = f"{claim.arm}: {judged[claim].describe(claim.reference)}"
            seeds = str(len(judged[claim].seeds))
        rows.append((claim.text, claim.data, seeds, difference, outcomes[claim]))
    columns = ("statement", "data", "seeds", "what was measured", "here")
    yield Table(title, columns, tuple(rows), ("data", "what was measured", "here")).to_markdown()


def _make_arms(entries: Entries, names: Sequence[str], title: str) -> Iterator[str]:
    found, judged = _select(entries), result_claims.judge_arms(entries, names, REFERENCE)
    values, costs = [], []
    for name in names:
        if name not in found:
            values.append((name, "0", GAP, ""))
            continue
        arm = found[name]
        difference = judged[name].describe(REFERENCE) if name in judged else "not compared"
        if name == REFERENCE:
            difference = "reference"
        values.append((name, str(len(arm.seeds)), show_value(arm.value, arm.half_width), difference))
        costs.append((name, *map(count, (arm.images, arm.total_images, arm.seconds, arm.total_seconds))))
    yield Table(title, ("arm", "seeds", "accuracy", "difference"), tuple(values), ("difference",)).to_markdown()
    if costs:
        columns = ("arm", "images", "images in all", "seconds", "seconds in all")
        yield Table("What it costs, a seed", columns, tuple(costs)).to_markdown()
        yield (
            "Images are those of pre-training, repeats included. 'In all' counts the source classifier, in full for "
            "each arm that needs it: for P_t, or to start from. Several arms share one.\n"
        )


def _make_factor(entries: Entries, factor: Factor) -> str:
    found, judged = _select(entries), result_claims.judge_arms(entries, list(factor.values), factor.reference)
    rows = []
    for name, value in factor.values.items():
        if name not in found:
            rows.append((value, "0", GAP, ""))
            continue
        arm = found[name]
        difference = judged[name].describe(factor.values[factor.reference]) if name in judged else "not compared"
        if name == factor.reference:
            difference = "reference"
        rows.append((value, str(len(arm.seeds)), show_value(arm.value, arm.half_width), difference))
    columns = ("value", "seeds", "accuracy", "difference")
    return Table(factor.title, columns, tuple(rows), ("difference",)).to_markdown()


def _describe_origin(entries: Mapping[str, Entries]) -> Iterator[str]:
    every = [entry for found in entries.values() for entry in found.values()]
    if not every:
        yield f"No cell is at hand: {GAP}.\n"
        return
    columns = ("machine", "commit", "code", "cells")
    origins = collections.Counter(entry.origin for entry in every)
    rows = tuple(
        (origin.machine, origin.commit or "not known", origin.code, str(cells)) for origin, cells in origins.items()
    )
    yield Table("What the cells were trained with", columns, rows, columns[1:3]).to_markdown()
    hours = sum(entry.result.seconds for entry in every) / 3600
    classifiers: dict[tuple[str, int], float] = {}
    for data, found in entries.items():
        for (_, seed), entry in found.items():
            seconds = max(classifiers.get((data, seed), 0.0), entry.result.classifier_seconds)
            classifiers[data, seed] = seconds
    plural = "s" * (len(classifiers) != 1)
    yield (
        f"Pre-training and fine-tuning of {len(every)} cells took {hours:.1f} hours, and source classifiers for "
        f"{len(classifiers)} seed{plural} {sum(classifiers.values()) / 3600:.1f} hours. The machine was not kept free "
        "for it, so that seconds are upper limits. 'Commit' is the last one that changed the packages, and 'code' the "
        "hash of what the nodes of the pipeline run.\n"
    )
