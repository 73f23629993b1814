"""PriorEstimator: from predictions and the source index to P_s, P_t and importance weights.

What it is made of is here as functions on numpy arrays.
"""

from components import exports

_NOT_IN_CACHE_KEYS = "names where the functions are"

__getattr__, __dir__, __all__ = exports.lazy(
    __name__,
    {
        "bbse": "components.prior_estimator.priors",
        "bootstrap": "components.prior_estimator.intervals",
        "em": "components.prior_estimator.priors",
        "fit_temperature": "components.prior_estimator.calibration",
        "importance_weights": "components.artifacts.label_prior",
        "mean_prediction": "components.prior_estimator.priors",
    },
)
