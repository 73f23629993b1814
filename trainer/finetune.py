"""Fine-tuning on a target: trains a pre-trained backbone together with a new head."""

import os

import keras

from trainer import run, serving
from trainer.fn_args import FnArgs
from trainer.models import classifier


def run_fn(fn_args: FnArgs) -> None:
    """Trains the backbone of `fn_args.base_model_dir` with a new head over the target's labels."""

    def make_model(settings: run.TrainingSettings, num_classes: int) -> keras.Model:
        if fn_args.base_model_dir is None:
            raise ValueError("base_model: fine-tuning needs one; give the Trainer the model to start from")
        pretrained = keras.saving.load_model(os.path.join(fn_args.base_model_dir, serving.KERAS_FILE), compile=False)
        backbone = classifier.backbone_of(pretrained)
        recipe = settings.recipe
        return classifier.build(backbone, num_classes, dropout=recipe.dropout, seed=settings.seed, loss=recipe.loss)

    run.train_and_export(fn_args, make_model)
