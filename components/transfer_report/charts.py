"""The charts that do not move, as static SVG.

Each static chart is drawn twice, for a screen and for a phone, so that its text stays legible. All are drawn in the
colours of the light page; report.css gives the same elements other colours on a dark one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.transfer_report import axes, top_labels, words
from components.transfer_report.block import Labels, Target
from components.transfer_report.label_names import LabelName

if TYPE_CHECKING:
    import altair as alt

WIDE, NARROW = 760, 320  # pixels of the whole picture

VERSION = "6.4"  # of Vega-Lite, in vl-convert: Altair's own
# Blue and orange are told apart by all kinds of colour vision (Okabe and Ito 2008); report.css has their dark versions.
_PAGE, _INK, _QUIET, _LINE = "#ffffff", "#1c2430", "#5b6675", "#dfe3e8"
_BLUE, _ORANGE, _GREY = "#0b62a8", "#b35c00", "#8a94a3"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_WIDTH_OF_LETTER = 8  # pixels, of a wide font
_TOP = 15  # labels of a chart
_MAX_CLASSES = 40  # of a matrix that can be read
_SMALLEST_FONT = 8.0  # pixels
# What XML has no place for (https://www.w3.org/TR/xml/#charsets), and what ends a line of an expression of Vega.
_UNFIT = re.compile("[^\t\n\r\u0020-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def draw_accuracy(target: Target, width: int) -> str:
    """Returns the arms' accuracies as SVG; "" without results.

    Each has a dot, its interval over seeds, and a tick for each of several seeds. Where one seed is all there is, a
    dashed line is the interval that the images alone give its difference to the reference, laid at the reference's dot.
    """
    import altair as alt

    found = [(arm.mean, arm) for arm in target.arms if arm.mean is not None]
    if not found:
        return ""
    arms = [arm for _, arm in sorted(found, key=lambda entry: -entry[0])]
    base_value = next((mean for mean, arm in found if arm.reference), None)
    rows: list[dict[str, Any]] = []
    ticks = []
    for mean, arm in sorted(found, key=lambda entry: -entry[0]):
        role = "best" if arm.name == target.verdict.arm else "reference" if arm.reference else "other"
        row = {"arm": arm.name, "mean": mean, "low": arm.low, "high": arm.high, "role": role}
        if base_value is not None and arm.images_low is not None and arm.images_high is not None:
            row["images_low"], row["images_high"] = (
                min(1.0, max(0.0, base_value + end)) for end in (arm.images_low, arm.images_high)
            )
        rows.append(row)
        if len(arm.values) > 1:
            ticks += [{"arm": arm.name, "value": value, "role": role} for value in arm.values if value is not None]
    order = [arm.name for arm in arms]
    y = alt.Y("arm:N", sort=order, title=None, scale=alt.Scale(padding=0.4), axis=_label_axis(order, width))
    color = alt.Color(
        "role:N",
        scale=alt.Scale(domain=["best", "reference", "other"], range=[_BLUE, _ORANGE, _GREY]),
        legend=None,
    )
    ends = ("mean", "low", "high", "images_low", "images_high")
    shown = [row[key] for row in rows for key in ends if row.get(key) is not None] + [tick["value"] for tick in ticks]
    domain, at = axes.span_shares(shown, 7 if width >= WIDE else 4)
    title = f"{words.name_metric(target.metric)} on {target.split}"
    axis = _percent_axis(width, at)
    x = alt.X("mean:Q", title=title, scale=alt.Scale(domain=domain, nice=False, zero=False), axis=axis)
    base, known = alt.Chart(values(rows)), alt.Chart(values([row for row in rows if row["low"] is not None]))
    by_images = alt.Chart(values([row for row in rows if "images_low" in row]))
    layers = [
        by_images.mark_rule(strokeWidth=1.6, strokeDash=[4, 3]).encode(
            x=alt.X("images_low:Q"), x2="images_high:Q", y=y, color=color
        ),
        known.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=color),
        alt.Chart(values(ticks)).mark_tick(thickness=1.5, size=12, opacity=0.55).encode(x="value:Q", y=y, color=color),
        base.mark_point(filled=True, size=110, opacity=1).encode(x=x, y=y, color=color),
    ]
    return to_svg(alt.layer(*layers).properties(height=alt.Step(30)), width)


def draw_labels(labels: Labels, named: Sequence[LabelName], width: int) -> str:
    """Returns the labels with the most P_t as SVG: their share of the target with its interval, and of the source."""
    import altair as alt

    first = top_labels.order_by_share(labels)[:_TOP]
    columns: dict[str, Sequence[float | None]] = {"target": labels.target_share, "source": labels.source_share}
    if labels.low and labels.high:
        columns |= {"low": labels.low, "high": labels.high}
    base, y = _chart_labels(named, first, columns, width)
    x = alt.X("target:Q", title="share", axis=_percent_axis(width))
    # Pale enough for the line of the interval to be seen on it.
    layers = [base.mark_bar(color=_BLUE, opacity=0.5, height=11).encode(x=x, y=y)]
    if "low" in columns:
        layers.append(base.mark_rule(color=_INK, strokeWidth=1.5).encode(x="low:Q", x2="high:Q", y=y))
    layers.append(base.mark_tick(color=_ORANGE, thickness=3, size=15).encode(x="source:Q", y=y))
    return to_svg(alt.layer(*layers).properties(height=alt.Step(22)), width)


def draw_achieved(labels: Labels, named: Sequence[LabelName], width: int) -> str:
    """Returns as SVG what was asked for and drawn, of the labels that were asked for most; "" unless drawn."""
    import altair as alt

    total = sum(labels.drawn)
    if not labels.asked or not total:
        return ""
    first = sorted(range(len(labels.names)), key=lambda index: -(labels.asked[index] or 0.0))[:_TOP]
    drawn, unique = ([number / total for number in column] for column in (labels.drawn, labels.unique or labels.drawn))
    base, y = _chart_labels(named, first, {"asked": labels.asked, "drawn": drawn, "unique": unique}, width)
    x = alt.X("drawn:Q", title="share of the sample", axis=_percent_axis(width))
    layers = [
        base.mark_bar(color=_GREY, height=9).encode(x=x, y=y),
        base.mark_bar(color=_BLUE, height=9).encode(x="unique:Q", y=y),
        base.mark_tick(color=_ORANGE, thickness=3, size=15).encode(x="asked:Q", y=y),
    ]
    return to_svg(alt.layer(*layers).properties(height=alt.Step(22)), width)


def draw_confusion(target: Target, width: int) -> str:
    """Returns the confusion matrix as SVG, each row as shares of its class; "" with more classes than can be read.

    Errors have a colour and a scale of their own: few as they are, they would be pale beside what is right.
    """
    import altair as alt

    found = target.confusion
    if found is None or not 1 < len(found.classes) <= _MAX_CLASSES:
        return ""
    names = [_number_name(found.classes, index) for index in range(len(found.classes))]
    cells: list[dict[str, Any]] = [
        {"true": names[i], "predicted": names[j], "count": number, "share": number / max(1, sum(row))}
        for i, row in enumerate(found.rows)
        for j, number in enumerate(row)
    ]
    size = (width - (140 if width >= WIDE else 90)) / len(names)
    height = max(184, min(480, 0.8 * (width - 130)))
    axis = {"labelLimit": 110 if width >= WIDE else 70, "labelExpr": _STRIP_NUMBER, "ticks": False, "domain": False}
    axis |= {"grid": False, "labelOverlap": "greedy", "labelSeparation": 1}
    # Upright names stand closer than slanted ones, whose boxes overlap.
    angle = 0 if _WIDTH_OF_LETTER * max(map(len, found.classes)) <= size else -90
    x = alt.X("predicted:N", sort=names, title="predicted class", axis=alt.Axis(labelAngle=angle, **axis))
    y = alt.Y("true:N", sort=names, title="true class", axis=alt.Axis(**axis))
    # Two colours, more or less opaque: report.css can then give them others on a dark page.
    most = max((cell["share"] for cell in cells if cell["true"] != cell["predicted"]), default=0) or 1
    for cell in cells:
        right = cell["true"] == cell["predicted"]
        cell["depth"] = (
            0.05 + 0.95 * cell["share"] if right or not cell["count"] else 0.15 + 0.85 * cell["share"] / most
        )
    base = alt.Chart(values(cells)).encode(x=x, y=y)
    opacity = alt.Opacity("depth:Q", scale=None, legend=None)
    wrong = "datum.true != datum.predicted && datum.count > 0"
    layers = [
        base.mark_rect().encode(opacity=opacity, color=alt.condition(wrong, alt.value(_ORANGE), alt.value(_BLUE)))
    ]
    digits = len(str(max(map(max, found.rows))))
    font = min(12.0, size / (0.65 * digits + 0.3), height / len(names) - 3)
    if font >= _SMALLEST_FONT:
        color = alt.condition("datum.depth > 0.65", alt.value(_PAGE), alt.value(_INK))
        text = base.transform_filter("datum.count > 0").mark_text(fontSize=round(font, 1))
        layers.append(text.encode(text="count:Q", color=color))
    return to_svg(alt.layer(*layers).properties(height=height), width)


def find_weakest(target: Target) -> tuple[str, float] | None:
    """Returns the class with the smallest share of right answers, and that share; None without a matrix."""
    found = target.confusion
    known = [(row[i] / sum(row), found.classes[i]) for i, row in enumerate(found.rows) if sum(row)] if found else []
    if not known:
        return None
    share, name = min(known)
    return name, share


def values(rows: Sequence[Mapping[str, Any]]) -> "alt.Data":
    """Returns rows as the data of a chart."""
    import altair as alt

    return alt.Data(values=[dict(row) for row in rows])


# Two names may look alike once they are shortened, and a chart merges equal ones: a number keeps them apart.
_STRIP_NUMBER = r"replace(datum.label, /^\d+ /, '')"


def _number_name(names: Sequence[str] | Mapping[int, str], index: int) -> str:
    return f"{index} {names[index]}"


def _chart_labels(
    named: Sequence[LabelName], shown: Sequence[int], columns: Mapping[str, Sequence[float | None]], width: int
) -> "tuple[alt.Chart, alt.Y]":
    """Returns a chart of the columns with a row for each of the labels `shown`, and its axis of names."""
    import altair as alt

    texts = {index: named[index].describe(short=width < WIDE) for index in shown}
    order = [_number_name(texts, index) for index in shown]
    rows = [
        {"label": name, **{key: column[index] for key, column in columns.items()}}
        for name, index in zip(order, shown, strict=True)
    ]
    axis = _label_axis([*texts.values()], width, numbered=True)
    return alt.Chart(values(rows)), alt.Y("label:N", sort=order, title=None, scale=alt.Scale(padding=0.3), axis=axis)


def _label_axis(names: Sequence[str], width: int, *, numbered: bool = False) -> "alt.Axis":
    """Returns the axis of names, with room for fonts that are wider than the one they are measured in."""
    import altair as alt

    more = {"labelExpr": _STRIP_NUMBER} if numbered else {}
    most = (0.34 if width >= WIDE else 0.42) * width
    return alt.Axis(
        labelLimit=0.85 * most,
        labelPadding=8,
        minExtent=max(40, min(most, _WIDTH_OF_LETTER * max(map(len, names)) + 12)),
        ticks=False,
        domain=False,
        grid=False,
        **more,
    )


def _percent_axis(width: int, at: Sequence[float] | None = None) -> "alt.Axis":
    """Returns an axis of shares, with ticks at `at` or, without them, where they fit."""
    import altair as alt

    given = {} if at is None else {"values": list(at)}
    return alt.Axis(
        **given,
        format="~%",
        grid=True,
        tickCount=6 if width >= WIDE else 3,
        labelFlush=False,
        labelOverlap="greedy",
        labelSeparation=8,
        labelPadding=6,
        domain=False,
        ticks=False,
    )


def to_svg(chart: "alt.Chart | alt.LayerChart", width: int) -> str:
    """Returns a chart as an inline SVG that a page with a strict policy shows: no style attributes, no roles."""
    import altair as alt
    import vl_convert

    with alt.data_transformers.enable("default", max_rows=None):
        fitted = chart.properties(
            width=width, background="transparent", autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
        ).configure(
            aria=False,
            font=_FONT,
            padding=4,
            view=alt.ViewConfig(stroke=None),
            axis=alt.AxisConfig(
                labelColor=_INK,
                titleColor=_QUIET,
                gridColor=_LINE,
                labelFontSize=12,
                titleFontSize=12,
                titlePadding=8,
                titleFontWeight="normal",
                domainColor=_LINE,
                tickColor=_LINE,
            ),
            legend=alt.LegendConfig(labelColor=_INK, labelFontSize=12),
        )
        svg = vl_convert.vegalite_to_svg(_replace_unfit(fitted.to_dict()), vl_version=VERSION)
    svg = re.sub(r"<svg [^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>", _open_svg, svg, count=1)
    return re.sub(r' (role|aria-[a-z]+|class)="[^"]*"(?=[^<>]*>)', "", svg)


def _replace_unfit(value: Any) -> Any:
    """Returns a specification whose texts can be drawn: a control character in one would end the whole process."""
    if isinstance(value, str):
        return _UNFIT.sub("\ufffd", value)
    if isinstance(value, list):
        return [_replace_unfit(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _replace_unfit(entry) for key, entry in value.items()}
    return value


def _open_svg(found: re.Match) -> str:
    width, height = found.groups()
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" focusable="false">'
