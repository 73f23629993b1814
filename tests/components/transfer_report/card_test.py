import dataclasses
import re

import pytest
import report_blocks

from components.transfer_report import block, card, grounds

HEADINGS = [
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Published weights",
    "Ethical considerations",
    "Caveats and recommendations",
]


@pytest.mark.parametrize("name", ["make_block", "fail_arm", "compare_with_gaps", "of_two_labels"])
def test_each_heading_has_a_fact_or_a_gap(name):
    made = getattr(report_blocks, name)()
    for target in made.targets:
        sections = card.make_card(made, target)
        assert [section.heading for section in sections] == HEADINGS
        assert all(section.facts or section.gaps for section in sections)
        text = card.render_card(made, target)
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
        assert text.count(f"**{card.GAP}**") == sum(len(section.gaps) for section in sections) > 0


def test_weights_have_hash_source_and_licence():
    known = block.Weights("vit", "weights/vit.h5", "ab" * 32, "https://example.org/vit", "Apache-2.0")
    unknown = block.Weights("own", "own.h5", "", "", "")
    made = report_blocks.make_block(weights=[known, unknown])
    section = next(s for s in card.make_card(made, "handwritten_digits") if s.heading == "Published weights")
    texts = [text for _, text in section.facts]
    assert {"ab" * 32, "https://example.org/vit", "Apache-2.0"} <= set(texts)
    assert len(section.gaps) == 1 and "own" in section.gaps[0]


def test_a_card_for_each_target_or_for_one():
    made = report_blocks.compare_with_gaps()
    assert re.findall(r"^# .*: (.*)$", card.render_card(made), re.MULTILINE) == ["digits", "letters"]
    assert re.findall(r"^# .*: (.*)$", card.render_card(made, "letters"), re.MULTILINE) == ["letters"]
    with pytest.raises(ValueError, match=r"target: 'leters' is not in the block \(did you mean letters\?\)"):
        card.render_card(made, "leters")


def test_what_is_missing_is_in_the_card():
    made = report_blocks.fail_arm()
    assert made.missing[0].why in dict(card.make_card(made, "handwritten_digits")[-1].facts)["Missing"]


def test_names_are_no_markup():
    assert card.escape("same_distribution") == "same_distribution"
    assert card.escape("_a_ *b* [c](d) <e> `f`\n# g | h") == (r"\_a\_ \*b\* \[c\](d) \<e\> \`f\` \# g \| h")
    target = dataclasses.replace(report_blocks.make_target(), classes=[report_blocks.HOSTILE, "b"])
    text = card.render_card(report_blocks.make_block(target))
    assert "<img" not in text.replace(r"\<img", "")


def test_commands_in_sentences_stay_code():
    target = report_blocks.make_target()
    caveats = ["Run `specialist compare a_b`.", "One ` alone."]
    text = card.render_card(report_blocks.make_block(target, caveats=caveats))
    assert "- Run `specialist compare a_b`.\n" in text and "- One \\` alone.\n" in text


def test_names_do_not_turn_their_line():
    target = report_blocks.make_target()
    pairs = [block.ConfusedPair("\u05d0", "b", 3)]
    confusion = dataclasses.replace(target.confusion, pairs=pairs)
    made = report_blocks.make_block(dataclasses.replace(target, confusion=confusion, classes=["\u05d0", "b"]))
    texts = [text for section in card.make_card(made, target.name) for _, text in section.facts]
    assert sum("\u2068\u05d0\u2069" in text for text in texts) == 2


def test_intervals_are_those_that_there_are():
    def find(target: block.Target) -> str:
        made = report_blocks.make_block(target)
        section = next(s for s in card.make_card(made, target.name) if s.heading == "Metrics")
        return dict(section.facts)["Intervals"]

    several, one = report_blocks.make_target(), report_blocks.make_target(seeds=1)
    bare = [dataclasses.replace(arm, images_low=None, images_high=None) for arm in one.arms]
    assert "seeds and images" in find(several) and "images alone" in find(one)
    assert find(dataclasses.replace(one, arms=bare)) == "none"


def test_the_number_of_gaps_stands_first():
    made = report_blocks.make_block()
    sections = card.make_card(made, "handwritten_digits")
    gaps = sum(len(section.gaps) for section in sections)
    line = card.render_card(made).splitlines()[2]
    assert line.startswith(f"{gaps} answers") and card.FILE_NAME in line
    assert card.describe_gaps([card.Section("a", (("b", "c"),))], None) == ""


def test_the_place_to_write_to_is_that_of_the_served_model():
    made = report_blocks.make_block()
    target = made.targets["handwritten_digits"]
    path = "workspace/serving/handwritten_digits/1740830400/assets.extra/model_card.md"
    assert card.find_path(target.verdict.served) == path
    assert f"`{path}`" in card.render_card(made)
    verdict = dataclasses.replace(target.verdict, served=None)
    text = card.render_card(report_blocks.make_block(dataclasses.replace(target, verdict=verdict)))
    assert "assets.extra" not in text and f"`{card.FILE_NAME}`" in text


def test_gaps_are_numbered_and_no_question_is_asked_twice():
    made = report_blocks.compare_with_gaps()
    for name in made.targets:
        sections = card.make_card(made, name)
        total = card.count_gaps(sections)
        numbers = re.findall(rf"{card.GAP}\*\* \((\d+) of (\d+)\)", card.render_card(made, name))
        assert numbers == [(str(i + 1), str(total)) for i in range(total)] and total > 1
        questions = [gap for section in sections for gap in section.gaps]
        assert len(set(questions)) == len(questions)


def test_the_caveats_say_what_was_not_looked_for_and_repeat_no_verdict():
    made = report_blocks.make_block()
    made = dataclasses.replace(made, source=dataclasses.replace(made.source, excluded={}))
    texts = [text for _, text in card.make_card(made, "handwritten_digits")[-1].facts]
    assert grounds.explain_duplicates(made) in texts and len(set(texts)) == len(texts)
    assert not set(made.targets["handwritten_digits"].verdict.sentences) & set(texts)


def test_confused_pairs_are_one_fact():
    target = report_blocks.make_target()
    pairs = [block.ConfusedPair("3", "8", 9), block.ConfusedPair("4", "1", 1)]
    target = dataclasses.replace(target, confusion=dataclasses.replace(target.confusion, pairs=pairs))
    sections = card.make_card(report_blocks.make_block(target), target.name)
    (confused,) = [text for section in sections for key, text in section.facts if key == "Confused"]
    assert "9 images" in confused and "1 image)" in confused


def test_the_time_is_in_words():
    facts = dict(card.make_card(report_blocks.make_block(), "handwritten_digits")[0].facts)
    assert facts["Made"] == "1 March 2025, 12:00 UTC"
