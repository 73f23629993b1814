"""Pre-training on the source, of the classifier and of every specialist."""

import keras

from trainer import run
from trainer.base_model import Pretrained
from trainer.fn_args import FnArgs
from trainer.models import classifier


def run_fn(fn_args: FnArgs) -> None:
    """Trains a backbone with a head over the source's labels.

    Both start at random, or with the weights of `fn_args.base_model_dir`, a model of the same labels; with the setting
    `new_head` its labels do not matter. The setting `backbone` must then be the base model's; without it, it is.
    """

    def make_model(settings: run.TrainingSettings, names: tuple[str, ...]) -> keras.Model:
        recipe = settings.recipe
        base = None if fn_args.base_model_dir is None else Pretrained(fn_args.base_model_dir)
        backbone = _make_backbone(settings, base)
        model = classifier.build(
            backbone, len(names), dropout=recipe.dropout, seed=settings.seed, activation=recipe.activation
        )
        if base is not None and not settings.new_head:
            base.copy_heads(model, names)
        return model

    run.train_and_export(fn_args, make_model)


def _make_backbone(settings: run.TrainingSettings, base: Pretrained | None) -> keras.Model:
    if settings.backbone is None:
        if base is None:
            raise ValueError("backbone: pre-training needs one; name it in custom_config")
        return base.backbone_for(settings.image)
    if base is None:
        settings.recipe.check_random_start()
    # Built anew, so that options without weights, such as the rate of drop-path, are those of this training.
    backbone = settings.backbone.build(settings.image)
    if base is not None:
        base.copy_backbone(backbone, settings.backbone)
    return backbone
