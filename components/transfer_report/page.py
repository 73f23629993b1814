"""The page: one HTML file that holds all that it needs, and asks no network for anything.

Its Content-Security-Policy names each script and style by its hash. Data are JSON, in script elements that are not run.
"""

import base64
import functools
import hashlib
import importlib.resources
from typing import TYPE_CHECKING, Any

from components.transfer_report import (
    card,
    charts,
    claims,
    grounds,
    label_names,
    markup,
    payload,
    samples,
    top_labels,
    training_charts,
    words,
)
from components.transfer_report.block import FILE_NAME as BLOCK_FILE
from components.transfer_report.block import Block, Target

if TYPE_CHECKING:
    import jinja2

FILE_NAME = "report.html"

_PACKAGE = "components.transfer_report"
_EXPLORER = ("cells.js", "explorer.js")


def render(block: Block) -> str:
    """Returns the report as HTML: one file for all of it.

    Args:
      block: the data block.

    Example:

      block = components.transfer_report.block.from_json(text)
      pathlib.Path("report.html").write_text(render(block), encoding="utf-8")
    """
    styles = [_read("vendor", "tabulator", "tabulator_simple.min.css"), _read("templates", "report.css")]
    scripts = [_read("templates", "page.js")]
    if any(target.labels is not None for target in block.targets.values()):
        scripts += [_read("vendor", "tabulator", "tabulator.min.js"), *(_read("templates", name) for name in _EXPLORER)]
    if any(target.curves for target in block.targets.values()):
        scripts += [_bundle_vega(), _read("templates", "curves.js")]
    styles, scripts = [list(map(_strip_maps, texts)) for texts in (styles, scripts)]
    return (
        _make_environment()
        .get_template("report.html")
        .render(
            block=block,
            views=[_view(block, name, number) for number, name in enumerate(block.targets)],
            styles=styles,
            scripts=scripts,
            policy=_make_policy(styles, scripts),
            data=payload.to_script_json(payload.make_payload(block)),
            block_file=BLOCK_FILE,
        )
    )


def _view(block: Block, name: str, number: int) -> dict[str, Any]:
    """Returns what the templates need of a target besides the target itself."""
    target = block.targets[name]
    labels, sections, sections_of_card = target.labels, _list_sections(target), card.make_card(block, name)
    named = label_names.name_labels(labels.names, labels.paths) if labels else []

    def draw(function: Any, *arguments: Any) -> list[str]:
        drawn = [function(*arguments, width) for width in (charts.WIDE, charts.NARROW)]
        return drawn if all(drawn) else []

    return {
        "id": f"t{number}",
        "number": number,
        "target": target,
        "headline": claims.make_headline(target),
        "data": grounds.describe_data(block, target),
        "duplicates": grounds.explain_duplicates(block),
        "push": grounds.explain_push(target),
        "certainty": [*claims.explain_certainty(block, target), *grounds.explain_budget(target)],
        "cost": claims.explain_cost(target),
        "reference": claims.find_reference(target),
        "most": max((top.share for found in target.explained for top in found.top), default=1.0) or 1.0,
        "missing": [gap for gap in block.missing if gap.target in ("", name)],
        "named": named,
        "groups": top_labels.find_top_groups(labels, named) if labels else [],
        "is_order_certain": labels is None or top_labels.is_order_certain(labels),
        "flagged": top_labels.list_flagged(labels) if labels else [],
        "sample": samples.explain_sample(target),
        "top_labels": top_labels.find_top_labels(labels) if labels else [],
        "first_labels": top_labels.order_by_share(labels)[: payload.PRINTED] if labels else [],
        "best": claims.find_arm(target, target.verdict.arm),
        "other": claims.find_other(target),
        "evaluated": any(any(value is not None for value in curve.eval_loss) for curve in target.curves.values()),
        "card": sections_of_card,
        "gaps": card.count_gaps(sections_of_card),
        "where": card.describe_gaps(sections_of_card, target.verdict.served),
        "arms": sorted(target.arms, key=lambda arm: -1.0 if arm.mean is None else arm.mean, reverse=True),
        "accuracy": draw(charts.draw_accuracy, target),
        "labels": draw(charts.draw_labels, labels, named) if labels else [],
        "achieved": draw(charts.draw_achieved, labels, named) if labels else [],
        "confusion": draw(charts.draw_confusion, target),
        "weakest": charts.find_weakest(target),
        "curves": draw(training_charts.draw_curves, target.curves),
        "sections": sections,
        "titles": dict(sections),
    }


def _list_sections(target: Target) -> list[tuple[str, str]]:
    """Returns the (id, title) of the sections that the target has, in the order in which questions are asked."""
    labels = target.labels
    found = [
        ("accuracy", "Accuracy of the arms", True),
        ("labels", "Source labels", labels is not None),
        ("why", "Why these labels", bool(target.explained)),
        ("achieved", "Asked and drawn", bool(target.achieved) or bool(labels and labels.drawn)),
        ("duplicates", "Near-duplicates", bool(target.duplicates)),
        ("aside", "What was set aside", True),
        ("curves", "Training curves", bool(target.curves)),
        ("confusion", "What is confused", target.confusion is not None),
        ("paper", "The paper's tables and figures", bool(target.tables or target.figures)),
        ("card", "Model card", True),
    ]
    return [(key, title) for key, title, is_there in found if is_there]


def _make_environment() -> "jinja2.Environment":
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("percent", "points", "interval", "factor", "count", "plural", "duration", "roughly", "moment"):
        environment.filters[name] = getattr(words, name)
    environment.filters["name_metric"] = words.name_metric
    environment.filters["subtract"] = claims.subtract
    # Only what this package has made itself: charts, vendored files, escaped JSON.
    environment.filters["own"] = markupsafe.Markup
    environment.filters["figure_uri"] = markup.make_figure_uri
    environment.filters["coded"] = markup.mark_code
    environment.filters["breakable"] = markup.let_break
    environment.filters["describe_pretraining"] = claims.describe_pretraining
    environment.globals["gap"] = card.GAP
    environment.globals["paper"] = grounds.PAPER
    return environment


def _make_policy(styles: list[str], scripts: list[str]) -> str:
    """Returns the Content-Security-Policy: these styles and scripts, images from `data:`, and nothing else."""

    def list_hashes(texts: list[str]) -> str:
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {list_hashes(scripts)}; style-src {list_hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _strip_maps(text: str) -> str:
    """Returns a script or a style without the name of its source map, which a browser's tools would ask for."""
    maps = ("//# sourceMappingURL", "/*# sourceMappingURL")
    lines = [line for line in text.split("\n") if not line.startswith(maps)]
    # A parser of HTML ends a script at this text, wherever it stands.
    return "\n".join(lines).replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _read(*names: str) -> str:
    return importlib.resources.files(_PACKAGE).joinpath(*names).read_text(encoding="utf-8")


@functools.cache
def _bundle_vega() -> str:
    """Returns Vega, Vega-Lite and vega-embed as one script."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=charts.VERSION)
