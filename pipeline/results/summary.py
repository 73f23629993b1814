"""The summary of a run: the most important labels, the samples, the arms' accuracies and the pushed model."""

import dataclasses
import json
import os
import shlex

import rich.box
import rich.console
import rich.table

from components import storage
from components.artifacts import data_report, exclusions, findings, label_prior, plan
from components.artifacts.findings import Finding
from components.example_validator import anomalies as example_anomalies
from components.importance_resampler.labels_table import distances_to
from pipeline.config.run import Config
from pipeline.config.weights import Weights
from pipeline.nodes import ids
from pipeline.pipeline import Until
from pipeline.place import Place
from pipeline.results import verdict
from pipeline.runners.local import NodeResult, State
from pipeline.terminal.findings import show_findings
from pipeline.terminal.text import isolate, make_cell
from trainer.metrics import Metrics
from trainer.results import METRICS_FILE

_TOP = 12


@dataclasses.dataclass(frozen=True)
class TargetSummary:
    """The results for one target. Parts whose nodes failed are empty.

    Attributes:
      prior: the label prior.
      plans: arm → header of its plan.
      arms: arm → (reported split, its metrics).
      pushed: folder of the model, if it was pushed and is served; else None.
      verdict: why it is not; empty without a push.
      notes: what else is to know about what is served.
      without_pretraining: arms that are pre-trained on nothing.
    """

    prior: label_prior.LabelPrior | None
    plans: dict[str, dict]
    arms: dict[str, tuple[str, Metrics]]
    pushed: str | None = None
    verdict: str = ""
    notes: tuple[str, ...] = ()
    without_pretraining: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Summary:
    """The results of a run.

    Attributes:
      anomalies: violations of the schemas, a line for each, with side and split.
      targets: target → its results.
      findings: side → what is suspicious in its data, and the URI of its rejected images.
      excluded: split of the source → (images, images excluded as near-duplicates of a target's).
      until: what the run ended with, as `create_pipeline` takes it.
      weights: key → the weights that were there before.
    """

    anomalies: list[str]
    targets: dict[str, TargetSummary]
    findings: dict[str, tuple[list[Finding], str]] = dataclasses.field(default_factory=dict)
    excluded: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    until: Until | None = None
    weights: dict[str, Weights] = dataclasses.field(default_factory=dict)


def collect(config: Config, results: list[NodeResult], workspace: str, until: Until | None = None) -> Summary:
    """Reads the artifacts of a run in the folder `workspace`; `until` is what it ended with."""
    uris = {
        (result.node, key): artifacts[0] for result in results for key, artifacts in result.outputs.items() if artifacts
    }
    sides = list(config.datasets())
    anomalies = [
        line
        for side in sides
        if (side_anomalies := uris.get((ids.side_node(side, ids.VALIDATION), "anomalies")))
        for line in (f"{side}, {anomaly}" for anomaly in example_anomalies.read(side_anomalies.uri))
    ]

    def path(node: str, key: str, *names: str) -> str | None:
        artifact = uris.get((node, key))
        return os.path.join(artifact.uri, *names) if artifact else None

    found = {
        side: (
            findings.load(json.loads(storage.read_text(report_path))["findings"]),
            uris[ids.side_node(side, ids.EXAMPLES), "rejected"].uri,
        )
        for side in sides
        if (report_path := path(ids.side_node(side, ids.EXAMPLES), "index", data_report.SUMMARY_FILE))
    }
    targets = {}
    for name, target in config.targets.items():
        prior_path = path(ids.side_node(name, ids.PRIOR), "label_prior", label_prior.FILE_NAME)
        prior = label_prior.from_table(storage.read_table(prior_path)) if prior_path else None
        arms, plans = {}, {}
        tried = target.arms if until is None else []
        for arm in tried:
            shared = config.shared_settings(name, arm)
            plan_path = path(ids.sample_node(name, arm, ids.RESAMPLE, shared), "plan", plan.LABELS_FILE)
            if plan_path:
                labels = storage.read_table(plan_path)
                plans[arm] = plan.header_of(labels)
                if shared is not None and prior is not None:
                    plans[arm] |= distances_to(prior, labels)
            metrics_path = path(ids.arm_node(name, arm, ids.FINETUNE), "model_run", METRICS_FILE)
            if metrics_path:
                metrics = json.loads(storage.read_text(metrics_path))
                split = "test" if "test" in metrics else "eval"
                arms[arm] = split, Metrics(**metrics[split])
        outcome = _judge(config, name, results, workspace) if until is None else verdict.Verdict()
        untrained = frozenset(arm for arm in tried if config.pretrain_of(arm) is None)
        targets[name] = TargetSummary(prior, plans, arms, outcome.served, outcome.reason, outcome.notes, untrained)
    excluded = {}
    for node in ids.EXCLUSIONS:  # the last stage contains the exclusions of the earlier ones
        if summary_path := path(node, "exclusions", exclusions.SUMMARY_FILE):
            splits = json.loads(storage.read_text(summary_path))["source"]
            excluded = {split: (counts["images"], counts["excluded"]) for split, counts in splits.items()}
    used = {key: weights for key, weights in config.list_weights().items() if until is None or key == "classifier"}
    return Summary(anomalies, targets, found, excluded, until, used)


def _judge(config: Config, target: str, results: list[NodeResult], workspace: str) -> verdict.Verdict:
    nodes = [ids.side_node(target, kind) for kind in (ids.BASELINE, ids.EVALUATOR, ids.PUSHER)]
    outputs = {key: found for result in results if result.node in nodes for key, found in result.outputs.items()}
    return verdict.judge(outputs, Place.local(workspace).serving_of(target), config.targets[target].evaluation)


def show(console: rich.console.Console, summary: Summary, results: list[NodeResult]) -> None:
    """Prints the summary."""
    for line in summary.anomalies:
        console.print(f"anomaly: {line}", style="yellow", markup=False, highlight=False)
    for side, (found, rejected_uri) in summary.findings.items():
        show_findings(console, side, found, rejected_uri)
    if summary.excluded:
        parts = (f"{split} {count:,} of {images:,}" for split, (images, count) in summary.excluded.items())
        console.print(f"source images excluded as near-duplicates of a target's: {', '.join(parts)}", highlight=False)
    for key, weights in summary.weights.items():
        said = f"source: {weights.source or 'not given'}, licence: {weights.licence or 'not given'}"
        text = f"{key}: {weights.path}, SHA-256 {(weights.sha256 or '')[:12]}…, {said}"
        console.print(text, markup=False, highlight=False)
    for name, target in summary.targets.items():
        console.print(f"\n[bold]{name}[/]")
        if target.prior is not None:
            _show_prior(console, target.prior)
            if summary.until == "prior":
                _show_base(console, target.prior)
        if target.arms or target.plans:
            _show_arms(console, target)
        if target.verdict:
            console.print(f"not pushed: {target.verdict}", style="yellow", markup=False, highlight=False)
        for note in target.notes:
            console.print(note, style="yellow", markup=False, highlight=False)
        if target.pushed:
            command = f"specialist predict {shlex.quote(target.pushed)} IMAGE.png"
            console.print(f"pushed to {target.pushed}\ntry it:   {command}", markup=False, highlight=False)
    console.print(f"\n{_counts(results)}", highlight=False)


def _show_prior(console: rich.console.Console, prior: label_prior.LabelPrior) -> None:
    header = prior.header()
    table = rich.table.Table(
        title=f"source labels that matter most (of {len(prior.names):,}; effectively {header['effective_labels']:.0f})",
        title_justify="left",
    )
    for column in ("label", "P_s", "P_t", *(["interval"] if prior.interval else []), "w"):
        table.add_column(column, justify="left" if column == "label" else "right")
    for i in prior.target_prior.argsort()[::-1][:_TOP]:
        interval = [f"{prior.interval[0][i]:.4f} – {prior.interval[1][i]:.4f}"] if prior.interval else []
        table.add_row(
            make_cell(prior.names[i]),
            f"{prior.source_prior[i]:.5f}",
            f"{prior.target_prior[i]:.5f}",
            *interval,
            f"{prior.weights[i]:.1f}",
        )
    console.print(table)
    if prior.unmapped_mass is not None and (prior.unmapped_mass or prior.unmapped_labels):
        console.print(
            f"the classifier lacks {prior.unmapped_labels:,} of the source's labels, and {prior.unmapped_mass:.1%} of "
            "what it predicts is for labels that the source lacks: P_t is without both",
            style="yellow",
            highlight=False,
        )
    if prior.fit_failed:
        console.print(
            "no temperature fits the classifier on the source's eval split: it makes no mistakes there, or knows "
            "nothing; P_t is estimated at a temperature of 1",
            style="yellow",
        )
    if prior.assumption is not None and prior.assumption.flagged.any():
        names = [isolate(prior.names[i]) for i in prior.target_prior.argsort()[::-1] if prior.assumption.flagged[i]]
        console.print(
            f"the target's images of {len(names)} label(s) are unlike the source's ({' '.join(names[:_TOP])}): "
            "see `specialist prior`",
            style="yellow",
            markup=False,
            highlight=False,
        )


def _show_base(console: rich.console.Console, prior: label_prior.LabelPrior) -> None:
    """Prints what P_t was estimated from, and how much of it no source image can give."""
    labels = int((prior.counts == 0).sum())
    lost = 100 * float(prior.header()["lost_mass"] or 0)
    without = f"; {lost:.2g}% of it is lost: on {labels:,} label(s) without source images" if labels else ""
    console.print(f"P_t is estimated from {prior.num_images:,} image(s){without}", highlight=False)


def _show_arms(console: rich.console.Console, target: TargetSummary) -> None:
    splits = {split for split, _ in target.arms.values()}
    distances = [f"; of the whole source: {header['distance_source']:.3f}" for header in target.plans.values()]
    table = rich.table.Table(
        title=f"arms: pre-training sets (distance to P_t{distances[0] if distances else ''}) and accuracies",
        title_justify="left",
        box=rich.box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for column in ("arm", "examples", "unique", "copies", "to P_t", f"{'/'.join(splits)} acc.", "per class"):
        table.add_column(column, justify="left" if column == "arm" else "right", no_wrap=True)
    for arm in dict.fromkeys([*target.arms, *target.plans]):
        row = [arm]
        if arm in target.plans:
            sample = target.plans[arm]
            row += [f"{sample['examples']:,}", f"{sample['unique_examples']:,}", f"≤ {sample['max_copies']}"]
            row += [f"{sample['distance_seen']:.4f}"]
        else:
            row += ["none" if arm in target.without_pretraining else "all", "", "", ""]
        if arm in target.arms:
            _, metrics = target.arms[arm]
            row += [f"{100 * metrics.accuracy:.1f}%", f"{100 * metrics.mean_per_class_accuracy:.1f}%"]
        table.add_row(*row)
    console.print(table)
    for arm, sample in target.plans.items():
        if sample["examples"] < sample["n"]:
            console.print(
                f"{arm}: {sample['examples']:,} examples, not {sample['n']:,} (resample.n): it finds no more",
                style="yellow",
                highlight=False,
            )


def _counts(results: list[NodeResult]) -> str:
    ran = [result for result in results if result.state is State.DONE]
    reused = sum(result.state is State.REUSED for result in results)
    if not ran and reused and not any(result.state in (State.FAILED, State.BLOCKED) for result in results):
        return f"nothing has changed: no executor ran, all {reused} results were reused"
    return f"{len(ran)} executors ran, {reused} results were reused, {sum(r.seconds for r in ran):.0f} s"
