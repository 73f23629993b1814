import dataclasses

import pytest
import report_blocks

from components.transfer_report import background, block


def test_the_data_are_described_as_far_as_they_are_known():
    made = report_blocks.make_block()
    target = made.targets["handwritten_digits"]
    text = background.describe_data(made, target)
    assert "100 images" in text and "10 classes" in text
    assert f"{made.source.images['train']:,} images" in text and f"{made.source.labels:,} labels" in text
    nothing = dataclasses.replace(made, source=None)
    assert background.describe_data(nothing, dataclasses.replace(target, images={})) == ""


@pytest.mark.parametrize(("total", "said"), [(38_400, False), (40_000, False), (42_300, True), (230_400, True)])
def test_another_budget_is_said(total, said):
    arms = [
        block.Arm("entire_source", reference=True, mean=0.5, images=38_400, total_images=38_400, pool=76_800),
        block.Arm("same_distribution", mean=0.75, images=30_000, total_images=total, pool=10_000, pool_kind="sample"),
    ]
    target = dataclasses.replace(report_blocks.make_target(), arms=arms, verdict=block.Verdict("same_distribution"))
    text = background.explain_budget(target)
    assert bool(text) is said
    if said:
        assert f"{total:,}" in text and f"{total - 30_000:,}" in text and "0.5 passes" in text and "3 passes" in text


def test_one_arm_and_arms_without_pretraining_have_no_other_budget():
    target = report_blocks.make_target()
    assert background.explain_budget(dataclasses.replace(target, arms=target.arms[1:2])) == ""
    scratch = dataclasses.replace(target, arms=target.arms[:2], verdict=block.Verdict("random_init"))
    assert background.explain_budget(scratch) == ""


def test_near_duplicates_are_not_looked_for_or_none_or_some():
    def explain(**excluded: int) -> str:
        source = block.Source({"train": 90, "eval": 9}, 7, excluded=excluded)
        return background.explain_leakage(dataclasses.replace(report_blocks.make_block(), source=source))

    not_looked_for, none, some = explain(), explain(train=0, eval=0), explain(train=2, eval=1)
    assert len({not_looked_for, none, some}) == 3
    assert "`near_duplicates.enabled: true`" in not_looked_for and "3 images" in some
    assert background.explain_leakage(dataclasses.replace(report_blocks.make_block(), source=None)) == ""


def test_why_a_model_is_pushed():
    target = report_blocks.make_target()
    verdict = dataclasses.replace(target.verdict, minimum=0.8, minimum_metric="mean_per_class_accuracy")
    pushed = background.explain_push(dataclasses.replace(target, verdict=verdict))
    assert "400 eval images" in pushed and "96.0%" in pushed and "80.0%" in pushed and "per-class" in pushed
    other = background.explain_push(
        dataclasses.replace(target, verdict=dataclasses.replace(verdict, arm="random_init"))
    )
    assert "random_init" in other and "random_init" not in pushed
    nobody = dataclasses.replace(verdict, pushed=False, served=None)
    assert background.explain_push(dataclasses.replace(target, verdict=nobody)) == ""
