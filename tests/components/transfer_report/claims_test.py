import dataclasses

import pytest
import report_blocks

from components.transfer_report import block, claims


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
    found = claims.make_headline(_make_pair(verdict, difference, best=best))
    assert (found.arm, found.value, found.tone) == (best, shown[0], tone)
    assert f"{shown[1]} points {shown[2]} than" in found.rest


def test_headline_of_a_reference_turns_the_verdict():
    won = claims.make_headline(_make_pair("worse", -0.03, best="entire_source"))
    lost = claims.make_headline(_make_pair("better", 0.03, best="entire_source"))
    assert won.claim == claims.make_headline(_make_pair("better", 0.03)).claim
    assert lost.claim == claims.make_headline(_make_pair("worse", -0.03)).claim


def test_headline_without_results():
    target = dataclasses.replace(report_blocks.make_target(), arms=[block.Arm("one")], verdict=block.Verdict(None))
    assert claims.make_headline(target).tone == "none"
    assert claims.explain_certainty(report_blocks.make_block(target), target)
    assert claims.explain_cost(target)


def test_headline_of_one_arm_compares_nothing():
    target = report_blocks.make_target()
    alone = dataclasses.replace(target, arms=target.arms[3:])
    found = claims.make_headline(alone)
    assert (found.arm, found.tone) == ("same_distribution", "unsure") and "than" not in found.rest


def test_certainty_has_the_interval_and_its_basis():
    target = _make_pair("better", 0.03)
    text = " ".join(claims.explain_certainty(report_blocks.make_block(target), target))
    assert "+2.0 to +5.0" in text and "2 seeds" in text and "1,297 test images" in text and "95%" in text
    target = _make_pair("worse", -0.03, best="entire_source")
    assert "+1.0 to +4.0" in " ".join(claims.explain_certainty(report_blocks.make_block(target), target))


def test_certainty_says_what_would_tell():
    target = _make_pair("cannot tell", 0.03)
    assert claims.explain_certainty(report_blocks.make_block(target), target)[-1] == "about 4 more seeds would."


def test_cost_is_that_of_the_best_arm():
    text = " ".join(claims.explain_cost(report_blocks.make_target()))
    assert "230,400" in text and "192,000" in text and "6.0 times" in text and "3 min 22 s" in text
    free = dataclasses.replace(report_blocks.make_target(), verdict=block.Verdict("random_init"))
    assert not any("images" in text for text in claims.explain_cost(free))
    assert "1 min 2 s" in claims.explain_cost(free)[-1]
