"""Training: the Trainer component, its recipes, models and the one loop that pre-training and fine-tuning share.

Its components are imported when they are asked for, so that `import trainer` costs nothing.
"""

from components import exports

_NOT_IN_CACHE_KEYS = "names where the components are"

__getattr__, __dir__, __all__ = exports.lazy(
    __name__, {"ModelImporter": "trainer.model_import.component", "Trainer": "trainer.component"}
)
