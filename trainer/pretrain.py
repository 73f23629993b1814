"""Pre-training on the source, of the classifier and of every specialist."""

from trainer import run
from trainer.fn_args import FnArgs
from trainer.models import classifier


def run_fn(fn_args: FnArgs) -> None:
    """Trains a randomly initialised backbone with a head over the source's labels."""
    run.train_and_export(fn_args, _make_model)


def _make_model(settings: run.TrainingSettings, num_classes: int):
    if settings.backbone is None:
        raise ValueError("backbone: pre-training needs one; name it in custom_config")
    backbone = settings.backbone.build(settings.image)
    recipe = settings.recipe
    return classifier.build(backbone, num_classes, dropout=recipe.dropout, seed=settings.seed, loss=recipe.loss)
