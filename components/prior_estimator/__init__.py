"""PriorEstimator: estimates P_s, P_t and importance weights from predictions and the source index.

Exports its estimators as functions on numpy arrays.
"""

from components import exports

_NOT_IN_CACHE_KEYS = "it lists the modules of the exported functions"

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
