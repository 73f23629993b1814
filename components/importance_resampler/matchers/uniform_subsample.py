"""A uniform subsample of the source, to see whether matching helps or only a smaller set does. Pure."""

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
    """Takes n examples uniformly, none twice; all of them if there are fewer. A larger sample contains a smaller one.

    Raises:
      ValueError: n < 1.
    """
    return label_subset.label_subset(pairs, np.arange(pairs.num_labels), n=n, seed=seed)
