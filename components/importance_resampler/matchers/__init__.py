"""The registry of matchers, the ways to draw a pre-training set from the source.

A configuration's arm has the name of its matcher. To add one, add a module of that name to this folder, with a subclass
of `matcher.Matcher`, and a line to CLASSES. The configuration, the component, `specialist plan --example` and the
estimate of a run find it here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from components.settings import did_you_mean

if TYPE_CHECKING:
    from components.importance_resampler.matchers.matcher import Matcher

_NOT_IN_CACHE_KEYS = "a registry: a node's key holds the matcher that it uses"

# Module → its class, which is imported when it is first used.
CLASSES = {
    "same_distribution": "SameDistribution",
    "elastic_distribution": "ElasticDistribution",
    "uniform_subsample": "UniformSubsample",
    "label_subset": "LabelSubset",
    "emd_subset": "EmdSubset",
    "uniform_labels": "UniformLabels",
    "reversed_weights": "ReversedWeights",
    "weighted_loss": "WeightedLoss",
}


def class_of(name: str) -> type[Matcher]:
    """Returns the class of the matcher `name`.

    Raises:
      ValueError: there is no such matcher.
    """
    if name not in CLASSES:
        raise ValueError(
            f"matcher: {name!r} is unknown; choose one of {', '.join(CLASSES)}{did_you_mean(name, CLASSES)}"
        )
    return getattr(importlib.import_module(f"{__name__}.{name}"), CLASSES[name])


def make_matcher(name: str, **settings: Any) -> Matcher:
    """Returns the matcher `name` with its settings.

    Raises:
      ValueError: there is no such matcher, or a setting is unknown or out of range.
    """
    return class_of(name)(**settings)


def name_of(matcher: Matcher) -> str:
    """Returns the name of a matcher."""
    return type(matcher).__module__.rpartition(".")[2]
