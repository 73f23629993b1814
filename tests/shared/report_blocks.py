"""Data blocks of reports, for tests: as runs and comparisons of any kind have them."""

import base64
import dataclasses
import functools
import io
import math

import numpy as np
import PIL.Image
import PIL.ImageDraw

from components.transfer_report import block

HOSTILE = "</script><img src=x onerror=alert(1)>"
RIGHT_TO_LEFT = "כלב ים (seal) ۱۲"
LONG = "a label of two hundred characters " * 5 + "that_has_no_place_to_break_in_it"[:30]
MADE = "2025-03-01T12:00:00Z"


@functools.cache
def make_picture(name: str, caption: str = "", size: int = 96) -> block.Picture:
    """Returns a picture with a shape that depends on its name."""
    random = np.random.default_rng(sum(map(ord, name)))
    image = PIL.Image.new("RGB", (size, size), tuple(random.integers(60, 230, 3).tolist()))
    draw = PIL.ImageDraw.Draw(image)
    for _ in range(3):
        x, y, r = random.integers(0, size, 3).tolist()
        draw.ellipse((x - r / 2, y - r / 2, x + r / 2, y + r / 2), tuple(random.integers(0, 255, 3).tolist()))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=70)
    uri = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return block.Picture(name, uri, caption)


def make_labels(names: list[str], paths: list[tuple[str, ...]] | None = None, *, seed: int = 0) -> block.Labels:
    """Returns labels whose shares fall steeply, in an order of their own; the last one has no source image."""
    random = np.random.default_rng(seed)
    counts = random.integers(20, 400, len(names))
    counts[-1] = 0 if len(names) > 2 else counts[-1]
    source = counts / counts.sum()
    target = random.dirichlet(np.full(len(names), 0.15)) + 1e-7
    target /= target.sum()
    asked = np.where(counts > 0, target, 0)
    asked /= asked.sum()
    weights = np.divide(asked, source, out=np.zeros(len(names)), where=counts > 0)
    drawn = np.floor(10_000 * asked).astype(int)
    unique = np.minimum(drawn, counts)
    order = np.argsort(target)[::-1]
    flagged = np.isin(np.arange(len(names)), order[[1, 4]] if len(names) > 4 else [])
    return block.Labels(
        names=names,
        paths=paths or [()] * len(names),
        counts=counts.tolist(),
        source_share=source.tolist(),
        target_share=target.tolist(),
        weights=weights.tolist(),
        low=(0.8 * target).tolist(),
        high=(1.25 * target).tolist(),
        flagged=flagged.tolist(),
        doubts=[
            block.Doubt(int(index), 6, 1.75, [make_picture(f"doubt/{index}/{i}") for i in range(3)])
            for index in order
            if flagged[index]
        ],
        arm="same_distribution",
        asked=asked.tolist(),
        drawn=drawn.tolist(),
        unique=unique.tolist(),
        repeats=(drawn - unique).tolist(),
        estimator="mean_prediction",
        temperature=2.0,
        images=1_000,
        level=0.95,
        effective_labels=float(np.exp(-np.sum(target * np.log(target)))),
        lost_mass=float(target[-1]) if len(names) > 2 else 0.0,
        seen_in={int(index): [block.ClassShare("8", 0.31), block.ClassShare("3", 0.0625)] for index in order[:3]},
        looked_at=100,
    )


def make_curve(start: float, title: str = "", steps: int = 300) -> block.Curve:
    """Returns a curve that falls from `start`, evaluated at every third report."""
    step = list(range(steps // 12, steps + 1, steps // 12))
    loss = [start * math.exp(-3 * s / steps) + 0.1 for s in step]
    return block.Curve(
        step,
        loss,
        [1 - value / (start + 0.2) for value in loss],
        [value * 1.15 if i % 3 == 2 else None for i, value in enumerate(loss)],
        [1 - value / (start + 0.1) if i % 3 == 2 else None for i, value in enumerate(loss)],
        title,
    )


def make_arms(seeds: int = 3) -> list[block.Arm]:
    """Returns four arms, of which the best is better than the reference."""
    rows = [
        ("random_init", "nothing", 0.921, 0, 0, "worse"),
        ("entire_source", "all of the source", 0.943, 38_400, 38_400, ""),
        ("uniform_subsample", "10,000 images, drawn uniformly", 0.939, 38_400, 38_400, "cannot tell"),
        ("same_distribution", "10,000 images in the target's proportions", 0.958, 38_400, 230_400, "better"),
    ]
    arms = []
    for name, description, mean, images, total, verdict in rows:
        values = [mean + 0.004 * (i - (seeds - 1) / 2) for i in range(seeds)]
        compared = name != "entire_source" and seeds > 1
        difference = None if name == "entire_source" else mean - 0.943
        paired = {}
        if difference is not None:
            more = round(1_297 * difference)
            low, high = difference - 0.006, difference + 0.006
            paired = {"gained": max(0, more) + 11, "lost": max(0, -more) + 11, "images_low": low, "images_high": high}
        low, high = (difference - 0.007, difference + 0.008) if compared else (None, None)
        arms.append(
            block.Arm(
                name,
                description,
                reference=name == "entire_source",
                seeds=list(range(1, seeds + 1)),
                values=values,
                mean=float(np.mean(values)),
                low=mean - 0.01 if seeds > 1 else None,
                high=mean + 0.01 if seeds > 1 else None,
                eval_mean=mean + 0.002,
                difference=difference,
                difference_low=low,
                difference_high=high,
                verdict=verdict if compared else "",
                in_words=f"{100 * (mean - 0.943):+.1f} points over entire_source: {verdict}, about 4 more seeds would"
                if verdict == "cannot tell"
                else "",
                **(paired if difference is not None and seeds == 1 else {}),
                pool=None if not images else 10_000 if total > images or "uniform" in name else 76_488,
                pool_kind="" if not images else "sample" if total > images or "uniform" in name else "source",
                images=images,
                total_images=total,
                seconds=61.5,
                total_seconds=61.5 + (140.0 if total > images else 0.0),
            )
        )
    return arms


def make_target(
    name: str = "handwritten_digits", *, labels: block.Labels | None = None, seeds: int = 3
) -> block.Target:
    """Returns a target that has everything."""
    if labels is None:
        names = ["2", "з", "ʒ", "8", "S", "s", "ვ", "Զ", "O", "o", "l", "I", "7", "Z", RIGHT_TO_LEFT, HOSTILE, LONG]
        names += [f"{i:02} glyph" for i in range(24)]
        groups = [("scripts", script) for script in ("Latin", "Cyrillic", "Georgian", "digits")]
        labels = make_labels(names, [groups[i % 4] for i in range(len(names))])
    order = np.argsort(labels.target_share)[::-1]
    top = [int(index) for index in order[:12]]
    classes = [str(i) for i in range(10)]
    rows = [[40 if i == j else (3 * i + j) % 5 // 3 for j in range(10)] for i in range(10)]
    rows[3][8] = 9
    return block.Target(
        name=name,
        images={"train": 100, "eval": 400, "test": 1_297},
        classes=classes,
        split="test",
        metric="accuracy",
        verdict=block.Verdict(
            arm="same_distribution",
            sentences=[
                "same_distribution, which is set to be pushed, is the best on eval (96.0%).",
                "On test it has 95.8%, +1.5 points [0.8, 2.3] over entire_source: better.",
            ],
            next_steps=[
                block.Step(
                    "Try its own budget on `entire_source`.",
                    "specialist compare demo.yaml --arms entire_source_total",
                ),
                block.Step("Try the model.", f"specialist predict workspace/serving/{name}/1740830400 IMAGE.png"),
            ],
            pushed_arm="same_distribution",
            pushed=True,
            served=f"workspace/serving/{name}/1740830400",
        ),
        arms=make_arms(seeds),
        labels=labels,
        thumbnails={
            index: [make_picture(f"source/{index}/{i}", labels.names[index][:40]) for i in range(3)] for index in top
        },
        explained=[
            block.Explained(
                make_picture(f"{name}/{i}"),
                classes[i],
                [
                    block.LabelShare(top[(i + k) % len(top)], share)
                    for k, share in enumerate((0.61, 0.22 if i else 0.0004, 0.05))
                ],
            )
            for i in range(8)
        ],
        achieved={
            "uniform_subsample": block.Achieved(10_000, 10_000, 1, 0.02, 0.02, 0.02),
            "same_distribution": block.Achieved(10_000, 4_120, 14, 0.0006, 0.0006, 0.871),
        },
        duplicates=[
            block.Pair(make_picture("source/4/9"), make_picture(f"{name}/4"), 3.0, "perceptual hash"),
            block.Pair(make_picture("source/5/1"), make_picture(f"{name}/5"), None, "same file"),
        ],
        set_aside=[block.SetAside("smaller than 8 pixels", 3, [make_picture("small", "small.png", 8)])],
        findings=["2 labels with a single image in train"],
        curves={
            f"{name}-{arm}-{kind}": make_curve(2.5 - 0.2 * i, f"{arm.replace('-', '_')}: {words}")
            for i, (arm, kind, words) in enumerate(
                [
                    ("entire-source", "specialist", "pre-training"),
                    ("entire-source", "finetune", "fine-tuning"),
                    ("same-distribution", "specialist", "pre-training"),
                    ("same-distribution", "finetune", "fine-tuning"),
                ]
            )
        },
        confusion=block.Confusion(
            "same_distribution",
            classes,
            rows,
            [block.ConfusedPair("3", "8", 9, [make_picture(f"{name}/3{i}", f"{name}/3{i}.png") for i in range(4)])],
        ),
        tables=[block.Table("Table 1: accuracy", ["arm", "here", "paper"], [["random_init", "92.1", "81.0"]])],
        figures=[
            block.Figure(
                "Figure 2: importance weights",
                "The labels with the largest weights.",
                '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="80"><rect width="300" height="40"/></svg>',
            )
        ],
        facts={
            "Backbone": "compact_cnn",
            "Input": "32 × 32 × 1",
            "Pre-training": "300 steps × 128",
            "Fine-tuning": "100 steps × 64",
        },
    )


def make_block(*targets: block.Target, **changes: object) -> block.Block:
    """Returns the block of a run with the given targets, by default the complete one."""
    given = targets or (make_target(),)
    nodes = [
        block.Node("source-examples", "SourceExampleGen", "reused", 0.4, outputs={"examples": ["source/examples/1"]}),
        block.Node("source-classifier", "Trainer", "ran", 140.2, ["source-examples"], {"model": ["source/model/2"]}),
        block.Node("digits-prior", "PriorEstimator", "ran", 1.2, ["source-classifier"], {"label_prior": ["prior/3"]}),
    ]
    made = block.Block(
        title="Printed glyphs to handwritten digits",
        kind="run",
        made=MADE,
        source=block.Source(
            {"train": 76_500, "eval": 11_500},
            len(given[0].labels.names) if given[0].labels else 0,
            {"train": 12},
            [
                block.SetAside("cannot be read", 2),
                block.SetAside("equal to another", 1, [make_picture("copy", "a/copy.png")]),
            ],
        ),
        targets={target.name: target for target in given},
        caveats=["± and [ ] are 95% intervals.", "The differences are those of this source classifier."],
        configuration="source:\n  kind: printed_glyphs\nseed: 1\n# " + HOSTILE,
        versions={"tensorflow": "2.16.2", "keras": "3.12.0", "specialist": "0.1.0"},
        seeds=[1, 2, 3],
        lineage=nodes,
        weights=[block.Weights("vit_b16", "weights/vit.h5", "ab" * 32, "https://example.org/vit", "")],
    )
    return dataclasses.replace(made, **changes)


def fail_arm() -> block.Block:
    """Returns a run whose best arm failed."""
    target = make_target(seeds=1)
    arms = [*target.arms[:3], block.Arm("same_distribution", "10,000 images in the target's proportions")]
    verdict = block.Verdict(
        "entire_source",
        ["Push entire_source: it is the best on eval (94.5%)."],
        pushed_arm="same_distribution",
        why_not="handwritten_digits-same-distribution-specialist failed",
    )
    failed = dataclasses.replace(
        target,
        arms=arms,
        verdict=verdict,
        confusion=None,
        labels=None,
        thumbnails={},
        explained=[],
        achieved={},
        curves={},
    )
    why = "handwritten-digits-same-distribution-specialist failed: out of memory"
    nodes = [
        block.Node(
            "digits-same-distribution-specialist",
            "Trainer",
            "failed",
            12.0,
            note="ResourceExhaustedError: out of memory",
        ),
        block.Node(
            "digits-same-distribution-finetune", "Trainer", "blocked", None, ["digits-same-distribution-specialist"]
        ),
    ]
    return make_block(
        failed, lineage=nodes, seeds=[1], missing=[block.Missing("arm same_distribution", why, failed.name)]
    )


def compare_with_gaps() -> block.Block:
    """Returns a comparison of two targets, one with missing cells, the other without a test split."""
    first = make_target("digits")
    arms = [
        *first.arms[:3],
        dataclasses.replace(
            first.arms[3],
            seeds=[1],
            values=[0.957],
            low=None,
            high=None,
            difference_low=None,
            difference_high=None,
            verdict="",
            gained=30,
            lost=11,
            images_low=0.004,
            images_high=0.026,
        ),
    ]
    second = without_test(make_target("letters"))
    return make_block(
        dataclasses.replace(first, arms=arms),
        second,
        kind="comparison",
        title="Comparison of four arms",
        missing=[
            block.Missing(f"digits, same_distribution, seed {seed}", "its fine-tuning failed", "digits")
            for seed in (2, 3)
        ],
        mean=[
            block.Difference("same_distribution", 0.012, 0.004, 0.02, "better"),
            block.Difference("random_init", -0.02),
        ],
    )


def without_test(target: block.Target) -> block.Target:
    """Returns the target as if it had no test split: eval is reported."""
    verdict = dataclasses.replace(target.verdict, served=None, pushed=False, why_not="accuracy 0.80 < 0.9 (minimum)")
    return dataclasses.replace(target, split="eval", images={"train": 100, "eval": 400}, verdict=verdict)


def of_two_labels() -> block.Block:
    """Returns a run whose source has two labels."""
    labels = make_labels(["cat", "dog"])
    return make_block(make_target(labels=labels))


@functools.cache
def of_many_labels(number: int = 18_291, pictured: int = 200, size: int = 96) -> block.Block:
    """Returns a run whose source has as many labels as JFT, three levels deep, with pictures of some."""
    names = [f"label {i:05}, of a kind that has a longer name" for i in range(number)]
    names[7], names[8], names[9] = HOSTILE, RIGHT_TO_LEFT, LONG
    paths = [("entity", f"kind {i % 40:02}", f"group {i % 1_200:04}") for i in range(number)]
    target = make_target("pets", labels=make_labels(names, paths))
    top = np.argsort(target.labels.target_share)[::-1][:pictured].tolist()
    pictures = {index: [make_picture(f"{index}/{i}", f"{index}/{i}.jpg", size) for i in range(3)] for index in top}
    return make_block(dataclasses.replace(target, thumbnails=pictures))
