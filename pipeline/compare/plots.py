"""Draws the figures of a comparison. Matplotlib is imported when one is drawn."""

import contextlib
import math
import pathlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

Records = Sequence[Mapping[str, Any]]

# Okabe and Ito 2008: told apart with all kinds of colour vision. Each arm has a marker of its own as well.
_STYLES = {
    "entire_source": ("#000000", "s"),
    "same_distribution": ("#0072B2", "o"),
    "elastic_distribution": ("#D55E00", "^"),
    "random_init": ("#7F7F7F", "X"),
    "source_classifier": ("#009E73", "D"),
    "warm_start": ("#CC79A7", "P"),
    "label_subset": ("#E69F00", "v"),
    "emd_subset": ("#56B4E9", "<"),
}
_MARKERS = ("*", "h", ">", "d", "p", "8", "H")  # of the other arms, which have the colours that are free
_ERROR = {"ecolor": "#333333", "elinewidth": 0.9, "capsize": 2.0}
_LONGEST_LABEL = 28  # characters; a longer one would leave no room for the bars
_MOST_SIZES = 6  # that are all named on an axis
_APART = 4.0  # points between the marks of arms at the same place
_RC: Any = {  # whose keys newer matplotlibs have as a type of their own
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "svg.hashsalt": "figure",  # the same file for the same values
}
_WIDTH, _HEIGHT = 3.6, 2.9  # of a panel, in inches
_NARROWEST = 4.8  # of a figure, so that its title has room
_COLUMNS = 3
_LEGEND_ENTRY = 1.7  # inches that the name of an arm needs


def save(figure: "matplotlib.figure.Figure", path: pathlib.Path) -> None:
    """Writes a picture in the format of the path's suffix, the same bytes for the same values."""
    with _style():
        figure.savefig(path, dpi=160, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else {})


def draw_importance(records: Records) -> "matplotlib.figure.Figure":
    """Returns a panel a target, with a bar a label."""
    targets = _list_targets(records)
    with _style():
        longest = max(sum(record["target"] == target for record in records) for target in targets)
        figure, panels = _make_panels(len(targets), height=0.9 + 0.22 * longest)
        for panel, target in zip(panels, targets, strict=True):
            found = [record for record in records if record["target"] == target]
            weights = [record["weight"] for record in found]
            errors = None
            if not any(math.isnan(record["low"]) for record in found):
                errors = [
                    [max(0.0, record["weight"] - record["low"]) for record in found],
                    [max(0.0, record["high"] - record["weight"]) for record in found],
                ]
            panel.barh(range(len(found)), weights, color="#56B4E9", xerr=errors, error_kw=_ERROR)
            # A label may have a dollar sign, which would start a formula.
            panel.set_yticks(range(len(found)), [_shorten(record["label"]) for record in found], parse_math=False)
            panel.invert_yaxis()
            panel.set_xlim(left=0)
            panel.grid(visible=False, axis="y")
            panel.set_title(target, loc="left")
            panel.set_xlabel("weight w = P_t / P_s", parse_math=False)
        _set_title(figure, "Source labels that matter most", records, "bootstrap intervals of P_t / P_s")
    return figure


def draw_matchers(records: Records, metric: str) -> "matplotlib.figure.Figure":
    """Returns a panel a target at hand, and panels of what is published on axes of their own."""
    origins = [
        [record for record in records if record["origin"] == origin] for origin in ("at hand", "published (JFT)")
    ]
    targets = [_list_targets(found) for found in origins]
    with _style():
        figure, panels = _make_panels(*(len(found) for found in targets))
        split = origins[0][0]["split"]
        for part, found in enumerate(origins):
            for target in targets[part]:
                panel = panels.pop(0)
                of_target = [record for record in found if record["target"] == target]
                _draw_series(panel, of_target)
                panel.set_xscale("log")
                panel.xaxis.set_major_formatter(_make_count_formatter())
                panel.set_xlabel("n, size of the pre-training sample")
                panel.set_ylabel(f"{split} {metric} (%)" if part == 0 else "accuracy (%)")
                panel.set_title(target if part == 0 else f"published (JFT): {target}", loc="left")
                if part == 1:
                    panel.set_facecolor("#F6F3EA")
                elif len(sizes := sorted({record["n"] for record in of_target if "n" in record})) <= _MOST_SIZES:
                    panel.set_xticks(sizes)
                    panel.set_xticks([], minor=True)
        _set_title(figure, f"{metric.capitalize()} against the size of the sample", origins[0])
        _add_legend(figure)
    return figure


def draw_shots(records: Records, metric: str) -> "matplotlib.figure.Figure":
    """Returns a panel a target, with a line an arm; "all" stands one step beyond the largest number."""
    targets = _list_targets(records)
    numbers = sorted({record["shots"] for record in records if record["shots"] != "all"})
    beyond = numbers[-1] * (numbers[-1] / numbers[-2] if len(numbers) > 1 else 2)
    styles = _choose_styles([record["arm"] for record in records])
    with _style():
        figure, panels = _make_panels(len(targets))
        for panel, target in zip(panels, targets, strict=True):
            found = [record for record in records if record["target"] == target]
            has_all = any(record["shots"] == "all" for record in found)
            panel.set_xscale("log")
            groups = _group(found, "arm")
            for at, (arm, of_arm) in enumerate(groups):
                places = [beyond if record["shots"] == "all" else record["shots"] for record in of_arm]
                _draw_line(panel, arm, styles[arm], places, of_arm, _APART / 2 * (at - (len(groups) - 1) / 2))
            ticks = numbers + ([beyond] if has_all else [])
            panel.set_xticks(ticks, [*map(str, numbers), *(["all"] if has_all else [])])
            panel.set_xticks([], minor=True)
            panel.set_xlim(ticks[0] / 1.3, ticks[-1] * 1.3)
            _fit_values(panel, found)
            panel.set_xlabel("target's train images a class")
            panel.set_ylabel(f"{found[0]['split']} {metric} (%)")
            panel.set_title(target, loc="left")
        _set_title(figure, f"{metric.capitalize()} against the target's images", records)
        _add_legend(figure)
    return figure


def draw_budget(records: Records, metric: str) -> "matplotlib.figure.Figure":
    """Returns a panel a target, with a mark an arm, and a thin line from its images without the classifier's."""
    targets = _list_targets(records)
    styles = _choose_styles([record["arm"] for record in records])
    with _style():
        figure, panels = _make_panels(len(targets))
        for panel, target in zip(panels, targets, strict=True):
            found = [record for record in records if record["target"] == target]
            for record in found:
                arm, total = record["arm"], record["total_images"]
                same = [other["arm"] for other in found if other["total_images"] == total]
                shift = _APART * (same.index(arm) - (len(same) - 1) / 2)
                panel.plot([record["images"], total], [record["value"]] * 2, color=styles[arm][0], lw=0.9, ls=":")
                _draw_line(panel, arm, styles[arm], [total], [record], shift)
            _set_images_axis(panel, [record["total_images"] for record in found if record["total_images"]])
            _fit_values(panel, found)
            panel.set_xlabel("images of all pre-training")
            panel.set_ylabel(f"{found[0]['split']} {metric} (%)")
            panel.set_title(target, loc="left")
        title = f"{metric.capitalize()} against the budget"
        _set_title(figure, title, records, part="dotted: the classifier's part")
        _add_legend(figure)
    return figure


def _draw_series(panel: "matplotlib.axes.Axes", records: Records) -> None:
    groups = _group(records, "series")
    styles = _choose_styles([series for series, _ in groups])
    for series, found in groups:
        if series == "entire_source":
            panel.axhline(found[0]["value"], color=styles[series][0], ls="--", lw=1.0, label=series)
        else:
            _draw_line(panel, series, styles[series], [record["n"] for record in found], found)


def _draw_line(
    panel: "matplotlib.axes.Axes",
    name: str,
    style: tuple[str, str],
    places: Sequence[float],
    records: Records,
    shift: float = 0.0,
) -> None:
    """Draws marks with the intervals that are known, joined by a line; all are moved by `shift` points."""
    from matplotlib.transforms import ScaledTranslation

    moved: dict[str, Any] = {
        "transform": panel.transData + ScaledTranslation(shift / 72, 0, panel.figure.dpi_scale_trans)
    }
    values = [record["value"] for record in records]
    half_widths = [record.get("high", math.nan) - record["value"] for record in records]
    panel.errorbar(
        places,
        values,
        yerr=None if all(map(math.isnan, half_widths)) else half_widths,
        label=name,
        color=style[0],
        marker=style[1],
        ms=5.5,
        lw=1.4,
        elinewidth=0.9,
        capsize=2.0,
        **(moved if shift else {}),
    )


def _fit_values(panel: "matplotlib.axes.Axes", records: Records) -> None:
    """Sets the limits of the values, which Matplotlib does not find from marks that are moved."""
    ends = [record[key] for record in records for key in ("value", "low", "high") if not math.isnan(record[key])]
    margin = 0.06 * (max(ends) - min(ends)) or 1.0
    panel.set_ylim(min(ends) - margin, max(ends) + margin)


def _set_images_axis(panel: "matplotlib.axes.Axes", totals: Sequence[float]) -> None:
    """Sets an axis from 0, which is linear as far as that shows the smallest of the numbers of images."""
    largest, smallest = max(totals, default=1.0), min(totals, default=1.0)
    if largest > 20 * smallest:
        threshold = 10 ** math.floor(math.log10(smallest))
        panel.set_xscale("symlog", linthresh=threshold, linscale=0.5)
        panel.set_xticks([0, *(threshold * 10**power for power in range(math.ceil(math.log10(largest / threshold))))])
        panel.set_xticks([], minor=True)
        panel.set_xlim(-0.3 * threshold, 1.6 * largest)
    else:
        panel.set_xlim(-0.06 * largest, 1.08 * largest)
    panel.xaxis.set_major_formatter(_make_count_formatter())


def _choose_styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Returns name → (colour, marker): that of its own, or one that no other name has as long as there are some."""
    styles = {name: _STYLES[name] for name in names if name in _STYLES}
    used = {colour for colour, _ in styles.values()}
    free = [colour for colour, _ in _STYLES.values() if colour not in used] or [
        colour for colour, _ in _STYLES.values()
    ]
    for at, name in enumerate(name for name in dict.fromkeys(names) if name not in _STYLES):
        styles[name] = free[at % len(free)], _MARKERS[at % len(_MARKERS)]
    return styles


def _shorten(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


def _group(records: Records, key: str) -> list[tuple[str, Records]]:
    names = dict.fromkeys(record[key] for record in records)
    return [(name, [record for record in records if record[key] == name]) for name in names]


def _list_targets(records: Records) -> list[str]:
    return list(dict.fromkeys(record["target"] for record in records))


def _make_panels(
    *counts: int, height: float = _HEIGHT
) -> tuple["matplotlib.figure.Figure", list["matplotlib.axes.Axes"]]:
    """Returns a figure with so many panels for each of several parts, which begin with a row each."""
    from matplotlib.figure import Figure

    widest = min(_COLUMNS, max(counts))
    grids = [(count, min(_COLUMNS, max(count, widest - 1))) for count in counts]  # panels, columns
    rows = sum(math.ceil(count / columns) for count, columns in grids)
    figure = Figure(figsize=(max(_NARROWEST, _WIDTH * widest), height * rows + 0.9), layout="constrained")
    places = math.lcm(*(columns for _, columns in grids))
    grid = figure.add_gridspec(rows, places)
    panels, first = [], 0
    for count, columns in grids:
        span = places // columns
        for at in range(count):
            row, column = divmod(at, columns)
            panels.append(figure.add_subplot(grid[first + row, column * span : (column + 1) * span]))
        first += math.ceil(count / columns)
    return figure, panels


def _set_title(
    figure: "matplotlib.figure.Figure",
    title: str,
    records: Records,
    intervals: str = "95% intervals over seeds",
    part: str = "",
) -> None:
    """Sets the title, and a line on what is drawn: the intervals if there are some, and `part`."""
    has_intervals = not all(math.isnan(record["low"]) for record in records)
    explanations = [*([f"error bars: {intervals}"] if has_intervals else []), *([part] if part else [])]
    text = "\n".join([title, "; ".join(explanations)]).rstrip()
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, parse_math=False)


def _add_legend(figure: "matplotlib.figure.Figure") -> None:
    found: dict[str, Any] = {}
    for panel in figure.axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    columns = min(len(found), int(figure.get_figwidth() / _LEGEND_ENTRY))
    figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=columns)


def _make_count_formatter() -> Any:
    from matplotlib.ticker import EngFormatter

    return EngFormatter(sep="")


@contextlib.contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context(_RC), warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes; the CSV has the labels.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
