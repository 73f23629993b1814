"""Which arms the paper's tables 3 to 6 compare, and what it reports of them. Pure."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from pipeline.compare import published

JFT, IMAGENET = "published (JFT)", "published (ImageNet)"
_SUBSETS = "jft_bird", "jft_animal", "jft_car", "jft_aircraft", "jft_vehicle", "jft_transport", "jft_food"


@dataclasses.dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Attributes:
      title: what it shows.
      arms: its rows.
      numbers: backbone → the number of the table in the paper.
      pretraining: column, that is source → arm → what the paper pre-trained on; of several, the best for each target.
      notes: what is to be known of the figures.
    """

    title: str
    arms: tuple[str, ...]
    numbers: Mapping[str, int]
    pretraining: Mapping[str, Mapping[str, tuple[str, ...]]]
    notes: tuple[str, ...] = ()

    def find_accuracy(self, column: str, arm: str, target: str, backbone: str) -> float | None:
        """Returns an accuracy in percent; None if the paper has none.

        Args:
          column: one of `pretraining`.
          arm: one of `arms`.
          target: one of the paper's; for any other name, the mean over the paper's targets is returned.
          backbone: where the paper has a table for each of several backbones, the one; else it does not matter.
        """
        pretraining = self.pretraining[column].get(arm, ())
        best: dict[str, float] = {}
        for found in self._list_accuracies(backbone):
            if found.pretraining in pretraining:
                best[found.target] = max(found.accuracy, best.get(found.target, 0.0))
        return best.get(target, float(np.mean(list(best.values())))) if best else None

    def describe_target(self, target: str, backbone: str) -> str:
        """Returns what `find_accuracy` is about: a target's name, or "mean of 6"; "" if the paper has nothing."""
        targets = {found.target for found in self._list_accuracies(backbone)}
        if target in targets or len(targets) == 1:
            return target if target in targets else targets.pop()
        return f"mean of {len(targets)}" if targets else ""

    def _list_accuracies(self, backbone: str) -> list[published.Accuracy]:
        number = self.numbers.get(backbone) if len(self.numbers) > 1 else next(iter(self.numbers.values()))
        return [found for found in published.read_accuracies() if found.table == number]


_WHOLE_AND_SUBSETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    JFT: {
        "random_init": ("random_init",),
        "entire_source": ("entire_jft",),
        "label_subset": _SUBSETS,
        "same_distribution": ("jft_adaptive",),
    },
    IMAGENET: {
        "random_init": ("random_init",),
        "entire_source": ("imagenet_entire",),
        "same_distribution": ("imagenet_adaptive",),
    },
}
_ABOUT_SUBSETS = "published, label_subset: the best of the paper's seven subsets of JFT for the target, chosen on test"

TABLES = {
    "subsets": PaperTable(
        "what to pre-train on (table 3)",
        ("random_init", "entire_source", "label_subset", "same_distribution"),
        {"inception_v3": 3},
        _WHOLE_AND_SUBSETS,
        (_ABOUT_SUBSETS,),
    ),
    "backbones": PaperTable(
        "what to pre-train on, by backbone (tables 3 and 4)",
        ("random_init", "entire_source", "label_subset", "same_distribution"),
        {"inception_v3": 3, "amoebanet_b": 4},
        _WHOLE_AND_SUBSETS,
        (_ABOUT_SUBSETS, "published, amoebanet_b: with images of 331 × 331"),
    ),
    "selection": PaperTable(
        "ways to select pre-training images (table 5)",
        ("entire_source", "same_distribution", "emd_subset", "nearest_examples"),
        {"inception_v3": 5},
        {
            IMAGENET: {
                "entire_source": ("imagenet_entire",),
                "same_distribution": ("imagenet_adaptive",),
                "emd_subset": ("imagenet_inaturalist_emd_subset",),
                "nearest_examples": ("imagenet_selective_joint_finetuning",),
            }
        },
        (
            "published, emd_subset: Cui et al. 2018, whose source has iNaturalist, too; nearest_examples: selective "
            "joint fine-tuning (Ge and Yu 2017), which trains on source and target at once",
        ),
    ),
    "weights": PaperTable(
        "weights of the labels (table 6)",
        ("same_distribution", "uniform_labels", "reversed_weights"),
        {"inception_v3": 6},
        {
            JFT: {
                "same_distribution": ("adaptive_weights",),
                "uniform_labels": ("uniform_weights",),
                "reversed_weights": ("reversed_weights",),
            }
        },
        ("published: one sample each, over the 4,000 labels with the most weight",),
    ),
}
