"""ImportanceResampler: from a label prior to a pre-training set, as a plan and as Examples.

Its matchers are also functions on numpy arrays; see `components.importance_resampler.arrays`.
"""

from components import exports

_NOT_IN_CACHE_KEYS = "names where the functions are"

_ARRAYS = "components.importance_resampler.arrays"

__getattr__, __dir__, __all__ = exports.lazy(
    __name__,
    {
        "elastic_distribution": _ARRAYS,
        "emd_subset": _ARRAYS,
        "label_subset": _ARRAYS,
        "reversed_weights": _ARRAYS,
        "same_distribution": _ARRAYS,
        "uniform_labels": _ARRAYS,
        "uniform_subsample": _ARRAYS,
        "weighted_loss": _ARRAYS,
    },
)
