"""What became of a target's model: served, or why not, in numbers."""

import dataclasses
import os
import shlex
from collections.abc import Callable

from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.artifacts import versions
from components.artifacts.pushed_model import NOT_COMPARED, ROLLED_BACK, SERVED_INSTEAD
from pipeline.config.sections import Evaluation


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a model.

    Attributes:
      served: the folder of the version that is this model, if it is what a server loads; else None.
      reason: why it is not; "" if it is, or if a node failed before that was decided.
      notes: what else the operator of the server should know.
    """

    served: str | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()


def judge(outputs: dict[str, list[mlmd.Artifact]], serving: str, settings: Evaluation) -> Verdict:
    """Returns what became of a model.

    Args:
      outputs: output → artifacts of the target's nodes that choose a baseline, evaluate and push; empty if they failed.
      serving: the folder that the model server watches.
      settings: when the model is good enough.
    """
    blessing, evaluation, pushed = (
        next(iter(outputs.get(key, ())), None) for key in ("blessing", "evaluation", "pushed_model")
    )
    found = versions.list_versions(serving)
    notes = [
        f"{os.path.join(serving, version)} is incomplete: servers pass over it" for version in found.newer_broken[:1]
    ]
    reason, served = "", None
    # Without the metadata it is not known whether it is blessed.
    judged = blessing is not None and "blessed" in blessing.custom_properties
    if blessing and evaluation and judged and not blessing.custom_properties["blessed"].int_value:
        reason = _explain(evaluation.uri, _name_baseline(blessing, serving, found), settings)
    elif pushed:
        not_compared = pushed.custom_properties[NOT_COMPARED].string_value
        if rolled_back := pushed.custom_properties[ROLLED_BACK].string_value:
            served, reason = _find_served(rolled_back, pushed.uri, found)
        elif pushed.custom_properties[SERVED_INSTEAD].string_value:
            reason = f"{not_compared}; to push without a comparison, set evaluation.without_baseline to push"
        elif destination := pushed.custom_properties["pushed_destination"].string_value:
            served, reason = _find_served(destination, pushed.uri, found)
            if served and not_compared:
                notes.append(f"pushed without a comparison: {not_compared}")
            elif served and outputs.get("model_blessing") and not outputs.get("model"):
                notes.append(
                    "pushed without a comparison: the files of the last blessed model are gone, or its labels differ"
                )
    return Verdict(served, reason, tuple(notes))


def describe_misses(candidate: float, baseline: float | None, baseline_name: str, settings: Evaluation) -> str:
    """Returns which thresholds the value `candidate` misses; `baseline` is None without one."""
    name, misses = settings.metric, []
    if candidate < settings.minimum:
        shown = _show(candidate, lambda value: value < settings.minimum)
        misses.append(f"{name} {shown} < {settings.minimum:g} (minimum)")
    if baseline is not None and baseline - candidate > settings.max_regression:
        drop = _show(baseline - candidate, lambda value: value > settings.max_regression)
        misses.append(
            f"{name} {candidate:.3f} against {baseline:.3f} of {baseline_name}: drop of {drop} > "
            f"{settings.max_regression:g} (max_regression)"
        )
    return "; ".join(misses) or f"{name} {candidate:.3f}"


def _show(value: float, is_miss: Callable[[float], bool]) -> str:
    """Returns `value` with three digits, or with as many as it takes to see that it is a miss."""
    texts = (f"{value:.{digits}f}" for digits in range(3, 10))
    return next((text for text in texts if is_miss(float(text))), f"{value:.3f}")


def _explain(evaluation_uri: str, baseline_name: str, settings: Evaluation) -> str:
    from components.evaluator import config as evaluation_config  # TFMA

    candidate, baseline = (
        evaluation_config.read_metrics(evaluation_uri, of_baseline=of_baseline).get(settings.metric)
        for of_baseline in (False, True)
    )
    assert candidate is not None  # `eval_config` always has the metric
    return describe_misses(candidate, baseline, baseline_name, settings)


def _name_baseline(blessing: mlmd.Artifact, serving: str, found: versions.Versions) -> str:
    from tfx.utils import path_utils

    if uri := blessing.custom_properties["baseline_model_uri"].string_value:
        saved_model = path_utils.serving_model_path(uri)
        for version in found.complete:
            if versions.is_version_of(serving, version, saved_model):
                return f"version {version}"
    return "the last blessed model"


def _find_served(destination: str, copy: str, found: versions.Versions) -> tuple[str | None, str]:
    """Returns `destination` if it is served; else why not."""
    version, newest = os.path.basename(destination), found.newest
    if newest == version:
        return destination, ""
    if os.path.exists(destination):
        return None, f"it is version {version}, and version {newest} is served"
    command = f"cp -r {shlex.quote(copy)} {shlex.quote(destination)}"
    return None, f"version {version} was removed, and version {newest} is served; to serve it again: {command}"
