"""The figures of a comparison: what each shows, as values; its pictures are drawn by `plots`.

- importance: the source labels with the largest weights of each target (the paper's figure 2).
- matchers: accuracy against the size of the sample, and what the paper reports (its figure 3).
- shots: accuracy against the target's train images a class.
- budget: accuracy against all images that the pre-training saw, with the classifier's.
"""

import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from components import extras
from components.artifacts.label_prior import LabelPrior
from components.settings import did_you_mean
from pipeline.compare import arms as arms_module
from pipeline.compare import files, layout, plots, published
from pipeline.compare.arms import Arm
from pipeline.compare.layout import describe_metric
from pipeline.compare.rows import Result

if TYPE_CHECKING:
    import matplotlib.figure

NAMES = ("importance", "matchers", "shots", "budget")
_MATCHERS = ("same_distribution", "elastic_distribution")


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure, as values.

    Attributes:
      name: one of `NAMES`.
      columns: of its CSV.
      records: what is shown, one mapping from columns to values a mark. Values and intervals are in percent.
      metric: the name of what is shown, for a reader.
    """

    name: str
    columns: tuple[str, ...]
    records: tuple[Mapping[str, Any], ...]
    metric: str = ""

    def to_csv(self) -> str:
        """Returns the values as CSV."""
        return layout.to_csv(self.columns, self.records)

    def draw(self) -> "matplotlib.figure.Figure":
        """Returns the picture.

        Raises:
          ModuleNotFoundError: matplotlib is not installed.
        """
        extras.require("figures", "matplotlib")
        draw: dict[str, Callable[[Figure], matplotlib.figure.Figure]] = {
            "importance": lambda figure: plots.draw_importance(figure.records),
            "matchers": lambda figure: plots.draw_matchers(figure.records, figure.metric),
            "shots": lambda figure: plots.draw_shots(figure.records, figure.metric),
            "budget": lambda figure: plots.draw_budget(figure.records, figure.metric),
        }
        return draw[self.name](self)


def check_name(name: str) -> None:
    """Checks that there is a figure of that name.

    Raises:
      ValueError: there is none.
    """
    if name not in NAMES:
        raise ValueError(f"figure: {name!r}; must be one of {', '.join(NAMES)}{did_you_mean(name, NAMES)}")


def make_figure(
    name: str,
    results: Sequence[Result] = (),
    priors: Mapping[str, LabelPrior] | None = None,
    metric: str = "accuracy",
) -> Figure:
    """Returns a figure for what is at hand.

    Args:
      name: one of `NAMES`.
      results: of one backbone; not needed for 'importance'.
      priors: target → its label prior; needed for 'importance' alone.
      metric: 'accuracy' or 'mean_per_class_accuracy'.

    Raises:
      ValueError: there is no such figure, what it needs is not at hand, or as `arms.select`.
    """
    check_name(name)
    if name == "importance":
        return show_importance(priors or {})
    shown = {"matchers": show_matchers, "shots": show_shots, "budget": show_budget}
    return shown[name](results, metric)


def write(folder: str | os.PathLike, figure: Figure) -> list[pathlib.Path]:
    """Writes the figure as `figure_<name>.png`, `.svg` and `.csv`, and returns the paths.

    Raises:
      ModuleNotFoundError: matplotlib is not installed.
      ValueError: a file cannot be written.
    """
    picture = figure.draw()
    png, svg, values = (pathlib.Path(folder, f"figure_{figure.name}{suffix}") for suffix in (".png", ".svg", ".csv"))
    for path in (png, svg):
        with files.write_whole(path) as temporary:
            plots.save(picture, temporary)
    files.write_text(values, figure.to_csv())
    return [png, svg, values]


def show_importance(priors: Mapping[str, LabelPrior], labels: int = 12) -> Figure:
    """Returns the labels with the largest w = P_t / P_s of each target, and the bootstrap interval of w.

    Args:
      priors: target → its label prior.
      labels: how many of each.

    Raises:
      ValueError: there is no prior.
    """
    if not priors:
        raise ValueError(
            "figure importance: not at hand: run `specialist compare … --arms same_distribution`, which estimates P_t"
        )
    records: list[dict[str, Any]] = []
    for target, prior in priors.items():
        weights = prior.weights
        scale = np.divide(weights, prior.target_prior, out=np.zeros(len(weights)), where=prior.target_prior > 0)
        for at in np.argsort(-weights, kind="stable")[:labels]:
            low, high = (math.nan, math.nan) if prior.interval is None else (bound[at] for bound in prior.interval)
            records.append(
                {
                    "target": target,
                    "label": prior.names[at],
                    "weight": float(weights[at]),
                    "low": float(low * scale[at]),
                    "high": float(high * scale[at]),
                    "target_prior": float(prior.target_prior[at]),
                    "source_prior": float(prior.source_prior[at]),
                    "count": int(prior.counts[at]),
                }
            )
    return Figure("importance", tuple(records[0]), tuple(records))


def show_matchers(results: Sequence[Result], metric: str = "accuracy") -> Figure:
    """Returns the accuracy against n of the two matchers, at hand and published.

    Arms of one matcher with other settings are another series. The whole source is shown without n.

    Raises:
      ValueError: no matcher has two sizes of the sample, or as `arms.select`.
    """
    records: list[dict[str, Any]] = []
    for arm in _select(results, metric, "matchers"):
        settings = arm.results[0].settings
        if arm.name == "entire_source":
            records.append({"origin": "at hand", "series": "entire_source", **_describe(arm)})
        elif arm.matcher in _MATCHERS and arm.start == "random":
            series = arm.matcher if settings in ("", "{}") else f"{arm.matcher} {settings}"
            records.append({"origin": "at hand", "series": series, "n": arm.n, **_describe(arm)})
    records.sort(key=lambda record: (record["target"], record["series"], record.get("n", 0)))
    sizes: dict[tuple[str, str], set[int]] = {}
    for record in records:
        if "n" in record:
            sizes.setdefault((record["target"], record["series"]), set()).add(record["n"])
    if not any(len(found) > 1 for found in sizes.values()):
        raise ValueError(
            "figure matchers: not at hand: run `specialist compare … --arms …` with arms of same_distribution and "
            "elastic_distribution that have several sizes n"
        )
    for point in published.read_sample_sizes():
        records.append(
            {
                "origin": "published (JFT)",
                "series": point.matcher,
                "target": point.target,
                "n": point.n,
                "value": point.accuracy,
            }
        )
    for cell in published.read_accuracies():
        if (cell.table, cell.pretraining) == (3, "entire_jft"):
            records.append(
                {
                    "origin": "published (JFT)",
                    "series": "entire_source",
                    "target": cell.target,
                    "value": cell.accuracy,
                }
            )
    columns = ("origin", "target", "series", "n", *_VALUES)
    return Figure("matchers", columns, tuple(records), describe_metric(metric))


def show_shots(results: Sequence[Result], metric: str = "accuracy") -> Figure:
    """Returns the accuracy of each arm against the target's train images a class; "all" are all of them.

    Raises:
      ValueError: there are results with one number of shots only, or as `arms.select`.
    """
    found = arms_module.list_shots(results)
    if len(found) < 2:
        raise ValueError(
            "figure shots: not at hand: run `specialist compare … --set compare.shots=[1,2,5,10]`, or other numbers"
        )
    records = [
        {"target": arm.target, "shots": "all" if shots is None else shots, **_describe(arm)}
        for shots in found
        for arms in arms_module.select(results, metric, shots).arms.values()
        for arm in arms.values()
    ]
    return Figure("shots", ("target", "arm", "shots", *_VALUES), tuple(records), describe_metric(metric))


def show_budget(results: Sequence[Result], metric: str = "accuracy") -> Figure:
    """Returns the accuracy of each arm against the images that its pre-training saw in all.

    Raises:
      ValueError: there is one arm only, or as `arms.select`.
    """
    records = [
        {"target": arm.target, "images": arm.images, "total_images": arm.total_images, **_describe(arm)}
        for arm in _select(results, metric, "budget")
    ]
    if len({record["arm"] for record in records}) < 2:
        raise ValueError(
            "figure budget: not at hand: run `specialist compare … --arms entire_source,same_distribution`, or other "
            "arms, two at least"
        )
    columns = ("target", "arm", "images", "total_images", *_VALUES)
    return Figure("budget", columns, tuple(records), describe_metric(metric))


_VALUES = ("value", "low", "high", "seeds", "split")


def _select(results: Sequence[Result], metric: str, name: str) -> Iterable[Arm]:
    if not results:
        raise ValueError(f"figure {name}: not at hand: run `specialist compare` first")
    selection = arms_module.select(results, metric, arms_module.list_shots(results)[-1])
    return [arm for arms in selection.arms.values() for arm in arms.values()]


def _describe(arm: Arm) -> dict[str, Any]:
    return {
        "target": arm.target,
        "arm": arm.name,
        "value": 100 * arm.value,
        "low": 100 * (arm.value - arm.half_width),
        "high": 100 * (arm.value + arm.half_width),
        "seeds": len(arm.seeds),
        "split": arm.split,
    }
