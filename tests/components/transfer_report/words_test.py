import dataclasses

import pytest
import report_blocks

from components.transfer_report import block, words


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.958, "95.8%"),
        (1.0, "100.0%"),
        (0.0, "0.0%"),
        (0.00951, "1.0%"),
        (0.0094, "0.94%"),
        (0.0004, "0.040%"),
        (1e-6, "<0.001%"),
        (None, "–"),
    ],
)
def test_percent(share, expected):
    assert words.percent(share) == expected


def test_numbers():
    assert words.points(0.0154) == "+1.5" and words.points(-0.004) == "−0.4" and words.points(None) == "–"
    assert words.interval(0.006, 0.024) == "+0.6 to +2.4" and words.interval(None, 0.5) == "–"
    assert [words.factor(w) for w in (0.0, 0.03, 1.25, 9.96, 1234.5, None)] == [
        "0.0×",
        "<0.1×",
        "1.2×",
        "10×",
        "1,234×",
        "–",
    ]
    assert [words.duration(s) for s in (0.25, 59.4, 61.5, 120, 3_600, 7_323, None)] == [
        "0.2 s",
        "59 s",
        "1 min 2 s",
        "2 min",
        "1 h",
        "2 h 2 min",
        "–",
    ]
    assert words.count(12345.6) == "12,346" and words.count(None) == "–"
    assert words.plural(1, "seed") == "1 seed" and words.plural(1_297, "image") == "1,297 images"


def _make_pair(verdict: str, difference: float, *, best: str = "same_distribution") -> block.Target:
    """Returns a target with the reference and another arm, which is `difference` better."""
    target = report_blocks.make_target()
    arms = [
        block.Arm("entire_source", reference=True, seeds=[1, 2], values=[0.5, 0.75], mean=0.625, eval_mean=0.6),
        block.Arm(
            "same_distribution",
            seeds=[1, 2],
            values=[0.5, 0.75],
            mean=0.625 + difference,
            eval_mean=0.6 + difference,
            difference=difference,
            difference_low=difference - 0.01,
            difference_high=difference + 0.02,
            verdict=verdict,
            in_words="about 4 more seeds would",
        ),
    ]
    return dataclasses.replace(target, arms=arms, verdict=block.Verdict(best))


@pytest.mark.parametrize(
    ("verdict", "difference", "best", "tone", "shown"),
    [
        ("better", 0.03, "same_distribution", "sure", ["65.5%", "3.0", "more"]),
        ("cannot tell", 0.03, "same_distribution", "unsure", ["65.5%", "3.0", "more"]),
        ("equal", -0.002, "same_distribution", "sure", ["62.3%", "0.2", "less"]),
        ("worse", -0.03, "same_distribution", "sure", ["59.5%", "3.0", "less"]),
        ("worse", -0.03, "entire_source", "sure", ["62.5%", "3.0", "more"]),
        ("cannot tell", -0.03, "entire_source", "unsure", ["62.5%", "3.0", "more"]),
        ("better", 0.03, "entire_source", "sure", ["62.5%", "3.0", "less"]),
    ],
)
def test_headline(verdict, difference, best, tone, shown):
    found = words.make_headline(_make_pair(verdict, difference, best=best))
    assert (found.arm, found.value, found.tone) == (best, shown[0], tone)
    assert f"{shown[1]} points {shown[2]} than" in found.rest


def test_headline_of_a_reference_turns_the_verdict():
    won = words.make_headline(_make_pair("worse", -0.03, best="entire_source"))
    lost = words.make_headline(_make_pair("better", 0.03, best="entire_source"))
    assert won.claim == words.make_headline(_make_pair("better", 0.03)).claim
    assert lost.claim == words.make_headline(_make_pair("worse", -0.03)).claim


def test_headline_without_results():
    target = dataclasses.replace(report_blocks.make_target(), arms=[block.Arm("one")], verdict=block.Verdict(None))
    assert words.make_headline(target).tone == "none"
    assert words.explain_certainty(report_blocks.make_block(target), target)
    assert words.explain_cost(target)


def test_headline_of_one_arm_compares_nothing():
    target = report_blocks.make_target()
    alone = dataclasses.replace(target, arms=target.arms[3:])
    found = words.make_headline(alone)
    assert (found.arm, found.tone) == ("same_distribution", "unsure") and "than" not in found.rest


def test_certainty_has_the_interval_and_its_basis():
    target = _make_pair("better", 0.03)
    text = " ".join(words.explain_certainty(report_blocks.make_block(target), target))
    assert "+2.0 to +5.0" in text and "2 seeds" in text and "1,297 test images" in text and "95%" in text
    target = _make_pair("worse", -0.03, best="entire_source")
    assert "+1.0 to +4.0" in " ".join(words.explain_certainty(report_blocks.make_block(target), target))


def test_certainty_says_what_would_tell():
    target = _make_pair("cannot tell", 0.03)
    assert words.explain_certainty(report_blocks.make_block(target), target)[-1] == "about 4 more seeds would."


def test_cost_is_that_of_the_best_arm():
    text = " ".join(words.explain_cost(report_blocks.make_target()))
    assert "230,400" in text and "192,000" in text and "6.0 times" in text and "3 min 22 s" in text
    free = dataclasses.replace(report_blocks.make_target(), verdict=block.Verdict("random_init"))
    assert len(words.explain_cost(free)) == 1


def test_top_labels_are_those_with_the_largest_share_of_the_target():
    labels = block.Labels(
        names=["a", "b", "c", "d"],
        paths=[()] * 4,
        counts=[8, 1, 0, 7],
        source_share=[0.5, 0.0625, 0.0, 0.4375],
        target_share=[0.25, 0.5, 0.2, 0.05],
        weights=[0.625, 10.0, 0.0, 0.1],
    )
    found = words.find_top_labels(labels)
    assert [(label.index, label.name, label.share) for label in found] == [
        (1, "b", "50.0%"),
        (0, "a", "25.0%"),
        (2, "c", "20.0%"),
    ]
    assert "6.2%" in found[0].reason and "10×" in found[0].reason
    assert "×" not in found[2].reason  # it has no image


def test_names_do_not_turn_their_line():
    assert words.isolate("abc") == "abc"
    assert words.isolate("\u05d0b") == "\u2068\u05d0b\u2069"
    assert words.isolate("\u0661") == "\u2068\u0661\u2069"  # a digit of Arabic
