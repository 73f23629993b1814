"""The page, parsed: what stands in it, and that nothing in it is more than text."""

import base64
import dataclasses
import hashlib
import html.parser
import json
import pathlib
import re

import pytest
import report_blocks

from components.transfer_report import block, charts, label_names, markup, page, training_charts

STYLE = pathlib.Path(page.__file__).with_name("templates").joinpath("report.css").read_text(encoding="utf-8")
VOID = {"meta", "img", "input", "wbr", "link", "br", "hr"}


class _Parsed(html.parser.HTMLParser):
    """A page: its elements with their attributes, its texts, and the contents of scripts and styles."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)
        if tag in self.raw:
            self.raw[tag].append("")

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag, tag

    def handle_data(self, data):
        if self._open and self._open[-1] in self.raw:
            self.raw[self._open[-1]][-1] += data
        elif data.strip():
            self.texts.append(data)

    def attributes(self, tag: str, name: str) -> list[str]:
        return [found[name] for kind, found in self.elements if kind == tag and name in found]


@pytest.fixture(scope="module", params=["make_block", "fail_arm", "compare_with_gaps", "of_two_labels"])
def case(request) -> tuple[block.Block, _Parsed]:
    made = getattr(report_blocks, request.param)()
    return made, _Parsed(page.render(made))


def test_elements_are_closed_and_ids_are_unique(case):
    _, parsed = case
    assert parsed._open == []
    ids = [found["id"] for _, found in parsed.elements if "id" in found]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in parsed.attributes("a", "href") if link.startswith("#")} <= set(ids)


def test_policy_has_the_hash_of_each_script_and_style(case):
    _, parsed = case
    policy = next(found["content"] for tag, found in parsed.elements if found.get("http-equiv"))
    kinds = [found.get("type") for tag, found in parsed.elements if tag == "script"]
    scripts = [text for text, kind in zip(parsed.raw["script"], kinds, strict=True) if kind is None]
    for name, texts in (("script-src", scripts), ("style-src", parsed.raw["style"])):
        expected = {f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in texts}
        assert set(re.search(rf"{name} ([^;]*)", policy).group(1).split()) == expected
    assert policy.split(";")[0] == "default-src 'none'" and "unsafe" not in policy


def test_nothing_is_loaded_or_run_but_what_is_inside(case):
    _, parsed = case
    assert all(uri.startswith("data:image/") for uri in parsed.attributes("img", "src"))
    assert parsed.attributes("script", "src") == [] and "link" not in {tag for tag, _ in parsed.elements}
    names = {name for _, found in parsed.elements for name in found}
    assert not any(name.startswith("on") for name in names) and "style" not in names
    assert not re.search(r"url\((?!data:)", "".join(parsed.raw["style"]))


def test_each_arm_and_each_gap_is_there(case):
    made, parsed = case
    text = " ".join(parsed.texts)
    for target in made.targets.values():
        assert all(arm.name in text for arm in target.arms)
    assert all(gap.what in text and gap.why in text for gap in made.missing)


def test_labels_are_text():
    made = report_blocks.make_block()
    parsed = _Parsed(page.render(made))
    assert "x" not in parsed.attributes("img", "src")
    labels = made.targets["handwritten_digits"].labels
    first = sorted(labels.names, key=lambda name: -labels.target_share[labels.names.index(name)])[:25]
    assert set(first) <= set(parsed.texts)
    data = json.loads(next(text for text in parsed.raw["script"] if text.startswith("{")))
    names = data["vocabularies"][0]["names"]
    assert {report_blocks.HOSTILE, report_blocks.RIGHT_TO_LEFT, report_blocks.LONG} <= set(names)


def test_scripts_are_only_those_that_are_needed():
    parsed = _Parsed(page.render(report_blocks.fail_arm()))
    assert len(parsed.raw["script"]) == 2  # the data, and the page's own
    assert len(_Parsed(page.render(report_blocks.make_block())).raw["script"]) == 7


def test_a_run_without_anything():
    missing = [block.Missing("all", "it was stopped")]
    empty = block.Block("Nothing", "run", report_blocks.MADE, None, {}, missing=missing)
    parsed = _Parsed(page.render(empty))
    assert "it was stopped" in " ".join(parsed.texts)


def test_figures_are_images():
    hostile = block.Figure("t", "c", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    assert markup.make_figure_uri(hostile).startswith("data:image/svg+xml;base64,")


def test_code_in_sentences_is_marked_and_the_rest_is_text():
    assert markup.mark_code("run `a <b>`, <i>") == "run <code><span>a</span> <span>&lt;b&gt;</span></code>, &lt;i&gt;"
    assert markup.mark_code("a ` <b>") == "a ` &lt;b&gt;"
    assert markup.let_break("a/b<_c") == "a/<wbr>b&lt;_<wbr>c"


def test_charts_are_plain_svg():
    made = report_blocks.make_block()
    target = made.targets["handwritten_digits"]
    named = label_names.name_labels(target.labels.names, target.labels.paths)
    drawn = [
        charts.draw_accuracy(target, charts.WIDE),
        charts.draw_labels(target.labels, named, charts.NARROW),
        charts.draw_achieved(target.labels, named, charts.WIDE),
        charts.draw_confusion(target, charts.NARROW),
        training_charts.draw_curves(target.curves, charts.WIDE),
    ]
    for svg in drawn:
        assert svg.startswith("<svg viewBox=")
        assert not re.search(r'\s(style|role|class|on\w+)="', svg)
        known = {*re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"\]', STYLE), *training_charts.COLOURS}
        assert set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', svg)) <= known


def test_charts_have_a_mark_for_each_value():
    target = report_blocks.make_target()
    svg = charts.draw_accuracy(target, charts.WIDE)
    assert all(f">{arm.name}<" in svg for arm in target.arms)
    assert charts.draw_accuracy(report_blocks.fail_arm().targets["handwritten_digits"], charts.WIDE).count(">") > 20
    assert training_charts.draw_curves({}, charts.WIDE) == ""
    assert "stroke-dasharray" not in svg
    alone = charts.draw_accuracy(report_blocks.make_target(seeds=1), charts.WIDE)
    assert alone.count("stroke-dasharray") == 3  # of each arm but the reference
    assert charts.draw_confusion(report_blocks.fail_arm().targets["handwritten_digits"], charts.WIDE) == ""


def test_reports_are_those_with_a_value():
    curve = block.Curve([10, 20], [2.0, None], [0.5, None], [None, 1.5], [None, 0.25])
    assert training_charts.list_reports({"n": curve}) == [
        {"training": "n", "step": 10, "split": "train", "loss": 2.0, "accuracy": 0.5},
        {"training": "n", "step": 20, "split": "eval", "loss": 1.5, "accuracy": 0.25},
    ]


def test_a_phone_shows_the_numbers_of_ten_classes():
    target = report_blocks.make_target()
    svg = charts.draw_confusion(target, charts.NARROW)
    assert svg.count(">40</text>") == 10 and ">9</text>" in svg
    classes = [f"a class with a long name {i}" for i in range(40)]
    crowded = block.Confusion("a", classes, [[1_000 * (i == j) for j in range(40)] for i in range(40)])
    assert ">1000</text>" not in charts.draw_confusion(dataclasses.replace(target, confusion=crowded), charts.NARROW)


def test_trainings_are_called_by_their_titles(case):
    made, parsed = case
    for target in made.targets.values():
        for node, curve in target.curves.items():
            assert curve.title in parsed.texts and node not in parsed.texts


def test_what_is_not_evaluated_has_no_legend():
    target = report_blocks.make_target()
    curves = {node: dataclasses.replace(curve, eval_loss=[], eval_accuracy=[]) for node, curve in target.curves.items()}
    bare = dataclasses.replace(target, curves=curves)
    assert "eval" not in training_charts.draw_curves(curves, charts.WIDE)
    assert "eval" in training_charts.draw_curves(target.curves, charts.WIDE)
    texts = [" ".join(_Parsed(page.render(report_blocks.make_block(each))).texts) for each in (target, bare)]
    assert "Dashed: on eval" in texts[0] and "Dashed: on eval" not in texts[1]


@pytest.mark.parametrize("name", ["a\x00b", "a\x0bb", "a\ufffeb", "a\u2028b", "a\nb", "", "   "])
def test_names_that_cannot_be_drawn_are_drawn_without_what_cannot(name):
    names = [name, "cat", f"{name} dog"]
    target = report_blocks.make_target(labels=report_blocks.make_labels(names))
    confusion = block.Confusion("same_distribution", names, [[3, 1, 0], [0, 2, 1], [1, 0, 4]])
    made = report_blocks.make_block(dataclasses.replace(target, classes=names, confusion=confusion))
    parsed = _Parsed(page.render(made))
    assert parsed._open == [] and block.from_json(block.to_json(made)) == made
    drawn = charts.draw_confusion(dataclasses.replace(target, confusion=confusion), charts.WIDE)
    assert "cat" in drawn and (name.isprintable() or "\n" in name or name not in drawn)
