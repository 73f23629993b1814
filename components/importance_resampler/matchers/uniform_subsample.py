"""A uniform subsample of the source, a control: does matching help, or only a smaller set? Pure."""

import numpy as np

from components.importance_resampler.matchers import label_subset
from components.importance_resampler.matchers.explanation import Draw, Drawn
from components.importance_resampler.matchers.matcher import Inputs, Matcher, Sample
from components.importance_resampler.pairs import Pairs


class UniformSubsample(Matcher):
    """Draws n examples uniformly from the whole source."""

    def draw(self, inputs: Inputs, *, n: int, seed: int) -> Sample:
        """See `Matcher.draw` and `uniform_subsample`."""
        return uniform_subsample(inputs.pairs, n=n, seed=seed)

    def explain(self, drawn: Drawn, row: int) -> tuple[Draw, ...]:
        """See `Matcher.explain`."""
        return label_subset.explain_draw(drawn, row)


def uniform_subsample(pairs: Pairs, *, n: int, seed: int) -> Sample:
    """Takes n examples uniformly, none twice. A larger sample contains a smaller one.

    Raises:
      ValueError: n < 1, or there are no more than n examples.
    """
    if n >= len(pairs.keys):
        raise ValueError(
            f"n: {n:,}, but the source has {len(pairs.keys):,} examples, of which uniform_subsample has to leave some "
            "out; lower n, or use entire_source"
        )
    return label_subset.label_subset(pairs, np.arange(pairs.num_labels), n=n, seed=seed)
