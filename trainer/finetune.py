"""Fine-tuning on a target: trains a pre-trained backbone together with a new head."""

import keras

from trainer import run
from trainer.base_model import Pretrained
from trainer.fn_args import FnArgs
from trainer.models import classifier


def run_fn(fn_args: FnArgs) -> None:
    """Trains the backbone of `fn_args.base_model_dir` with a new head over the target's labels.

    Without a base model, the backbone that the setting `backbone` names starts at random: nothing is pre-trained.
    """

    def make_model(settings: run.TrainingSettings, names: tuple[str, ...]) -> keras.Model:
        recipe = settings.recipe
        backbone = _make_backbone(settings, fn_args.base_model_dir)
        return classifier.build(
            backbone, len(names), dropout=recipe.dropout, seed=settings.seed, activation=recipe.activation
        )

    run.train_and_export(fn_args, make_model)


def _make_backbone(settings: run.TrainingSettings, base_model_dir: str | None) -> keras.Model:
    if base_model_dir is not None:
        if settings.backbone is not None:
            raise ValueError(
                f"backbone: {settings.backbone.label} with a base_model, which has a backbone of its own; leave out "
                "`backbone` to fine-tune the base model, or base_model to start at random"
            )
        return Pretrained(base_model_dir).backbone_for(settings.image)
    if settings.backbone is None:
        raise ValueError(
            "base_model: fine-tuning needs one; give the Trainer the model to start from, or name a backbone in "
            "custom_config to start at random"
        )
    settings.recipe.check_random_start()
    return settings.backbone.build(settings.image)
