"""The training curves: static SVG for print and for a page without scripts, and the specification of the live chart."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.transfer_report import charts
from components.transfer_report.block import Curve

if TYPE_CHECKING:
    import altair as alt

# Told apart by all kinds of colour vision, dark enough for a light page (Okabe and Ito 2008); curves.js has the same.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#b8558a", "#3a8fc4", "#a87400"]
# A training that runs along another one leaves gaps, in which the other is seen.
_DASHES = [[1, 0], [14, 4], [9, 5], [16, 4, 4, 4], [5, 5], [2, 4]]
_EVAL = "eval"
_MAX_TRAININGS = len(COLOURS)


def draw_curves(curves: Mapping[str, Curve], width: int) -> str:
    """Returns the losses of the trainings as SVG, for print and for a page without scripts; "" without any."""
    rows = list_reports(curves)
    return charts.to_svg(_make_curves(rows, "loss", width), width) if rows else ""


def list_reports(curves: Mapping[str, Curve]) -> list[dict[str, Any]]:
    """Returns the points of the curves, a row each: training, step, split, loss and accuracy."""
    rows: list[dict[str, Any]] = []
    for node, curve in curves.items():
        for split, loss, accuracy in (
            ("train", curve.loss, curve.accuracy),
            ("eval", curve.eval_loss, curve.eval_accuracy),
        ):
            for i, step in enumerate(curve.step):
                row = {"training": curve.title or node, "step": step, "split": split}
                known = {"loss": loss[i] if loss else None, "accuracy": accuracy[i] if accuracy else None}
                if known["loss"] is not None or known["accuracy"] is not None:
                    rows.append(row | known)
    return rows


def specify_curves(metric: str) -> dict[str, Any]:
    """Returns the live chart of the training curves in Vega-Lite; the page adds its data and theme."""
    found: dict[str, Any] = json.loads(_make_curves([], metric, charts.WIDE, live=True).to_json())
    found["data"] = {"name": "reports"}
    found["width"] = "container"
    return found


def _make_curves(
    rows: Sequence[Mapping[str, Any]], metric: str, width: int, *, live: bool = False
) -> "alt.Chart | alt.LayerChart":
    import altair as alt

    steps = alt.Axis(grid=False, format=",.0f", tickCount=5, labelFlush=False, labelOverlap="greedy", labelSeparation=8)
    trainings = list(dict.fromkeys(row["training"] for row in rows))
    splits = {row["split"] for row in rows}
    axis = alt.Axis(grid=True, format=".0%" if metric == "accuracy" else "~g", tickCount=5)
    encoded = alt.Chart(charts.values(rows)).encode(
        x=alt.X("step:Q", title="step", axis=steps),
        y=alt.Y(f"{metric}:Q", title=metric, scale=alt.Scale(zero=False), axis=axis),
        detail="training:N",
        strokeDash=_dash_trainings()
        if live
        else alt.StrokeDash(
            "split:N",
            scale=alt.Scale(domain=["train", _EVAL], range=[[1, 0], [5, 3]]),
            legend=alt.Legend(title=None, orient="top") if splits == {"train", _EVAL} else None,
        ),
    )
    if not live:
        line = encoded.mark_line(strokeWidth=1.4, color=COLOURS[0], opacity=0.9, point={"size": 10})
        if 1 < len(trainings) <= _MAX_TRAININGS:
            legend = alt.Legend(title=None, orient="bottom", columns=1 if width < charts.WIDE else 2, labelLimit=0)
            scale = alt.Scale(domain=trainings, range=COLOURS[: len(trainings)])
            line = line.encode(color=alt.Color("training:N", scale=scale, legend=legend))
        return line.properties(height=220)
    near = alt.selection_point(
        name="near", on="pointerover", nearest=True, fields=["training"], empty=False, clear="pointerout"
    )
    line = encoded.mark_line(strokeWidth=1.6).encode(
        color=alt.Color("training:N", sort=None, legend=None),
        size=alt.condition(near, alt.value(3), alt.value(1.6)),
    )
    tooltip = [alt.Tooltip(field) for field in ("training:N", "split:N", "step:Q")]
    tooltip += [alt.Tooltip("loss:Q", format=".4~f"), alt.Tooltip("accuracy:Q", format=".1%")]
    # Evaluations are few, and a line needs two.
    seen = alt.condition(f"datum.split == '{_EVAL}'", alt.value(0.9), alt.value(0))
    points = encoded.mark_point(size=40, filled=True).encode(
        tooltip=tooltip, opacity=seen, color=alt.Color("training:N", sort=None, legend=None)
    )
    points = points.add_params(near)
    return alt.layer(line, points).properties(height=300)


def _dash_trainings() -> "alt.StrokeDash":
    """Returns the dashes of the live chart, whose rows have the number of theirs, or 'eval', as `dash`."""
    import altair as alt

    domain = [*map(str, range(len(_DASHES))), _EVAL]
    return alt.StrokeDash("dash:N", scale=alt.Scale(domain=domain, range=[*_DASHES, [3, 3]]), legend=None)
