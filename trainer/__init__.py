"""Training: the Trainer component, its recipes, models and the one loop that pre-training and fine-tuning share.

`Trainer` is imported when it is asked for, so that `import trainer` costs nothing.
"""

from components import exports

_NOT_IN_CACHE_KEYS = "names where the component is"

__getattr__, __dir__, __all__ = exports.lazy(__name__, {"Trainer": "trainer.component"})
