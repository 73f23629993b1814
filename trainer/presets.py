"""Recipes by name: the paper's, and small ones. Pure."""

import types
from collections.abc import Mapping
from typing import Any

_NOT_IN_CACHE_KEYS = "a recipe contains its preset's values, and a Trainer's parameters contain the recipe"

# From the paper (Ngiam et al. 2018, section 4.1 and appendix): steps, batch sizes, optimiser, cosine decay, and the
# 2,000 warm-up steps of fine-tuning. Common practice: learning rates (Goyal et al. 2017), the warm-up of pre-training,
# and weight decay, label smoothing and crops of Inception-v3 (Szegedy et al. 2015).
_PUBLISHED = {
    "learning_rate": 0.1,
    "base_batch_size": 256,
    "momentum": 0.9,
    "nesterov": True,
    "l2": 4e-5,
    "label_smoothing": 0.1,
    "crop": 0.08,
    "flip": True,
}

# Fine-tuning of published networks, by family. The schedule is ours where a source has another: a ramp, then a cosine.
# Random crops and flips are as in the sources; random erasing and stochastic depth, which some have, are not here.
#
# Kornblith et al. 2019 (arXiv 1805.08974), with the numbers as Chen et al. 2020 (arXiv 2002.05709, appendix B.8) give
# them: 20,000 steps of 256, SGD with Nesterov momentum 0.9. The learning rate is one of a grid from 0.0001 to 0.1, and
# the weight decay one of a grid that begins with none; set both by the eval split where it matters. No ramp.
_KORNBLITH = {
    "steps": 20_000,
    "batch_size": 256,
    "learning_rate": 0.01,
    "warmup": 0.0,
    "momentum": 0.9,
    "nesterov": True,
    "crop": 0.08,
    "flip": True,
}
# Liu et al. 2022 (arXiv 2201.03545), appendix A and the commands of their code for networks pre-trained on ImageNet-22K
# (for those pre-trained on ImageNet-1K the decay is 0.7). 30 epochs of ImageNet-1K are 75,000 steps: too many for a
# small target, so the steps are those of `finetune`.
_CONVNEXT = {
    "steps": 20_000,
    "batch_size": 512,
    "learning_rate": 5e-5,
    "warmup": 0.0,
    "optimizer": "adamw",
    "weight_decay": 1e-8,
    "layer_decay": 0.8,
    "label_smoothing": 0.1,
    "crop": 0.08,
    "flip": True,
    "rand_augment": 0.9,
}
# He et al. 2022 (arXiv 2111.06377), appendix A.1 and table 9, which follows Bao et al. 2022 (arXiv 2106.08254): for
# encoders that were pre-trained without labels, fine-tuned as a whole. The learning rate, for 256 images, and the decay
# are those of their ViT-L; the ramp is 5 epochs of 50. The steps are those of `finetune`.
_VIT = {
    "steps": 20_000,
    "batch_size": 1024,
    "learning_rate": 1e-3,
    "base_batch_size": 256,
    "warmup": 0.1,
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "layer_decay": 0.75,
    "label_smoothing": 0.1,
    "crop": 0.08,
    "flip": True,
    "rand_augment": 0.9,
    "mixup": 0.8,
    "cutmix": 1.0,
}
# Dosovitskiy et al. 2021 (arXiv 2010.11929), appendix B.1.1 and table 4: encoders that were pre-trained with labels.
# SGD with momentum 0.9, no weight decay, gradients clipped at 1, a cosine; 10,000 steps for CIFAR-100 and 20,000 for
# ImageNet. The learning rate is one of a grid from 0.001 to 0.06; the 500 steps of ramp are those of their code.
_VIT_SGD = {
    "steps": 10_000,
    "batch_size": 512,
    "learning_rate": 0.01,
    "warmup": 0.05,
    "momentum": 0.9,
    "clip_norm": 1.0,
    "crop": 0.08,
    "flip": True,
}

_SMALL = {"learning_rate": 0.4, "momentum": 0.9, "nesterov": True, "l2": 4e-5, "clip_norm": 5.0}

PRESETS: Mapping[str, Mapping[str, Any]] = types.MappingProxyType(
    {
        "inception_v3_pretrain": {**_PUBLISHED, "steps": 2_000_000, "batch_size": 1024, "warmup": 0.01},
        "amoebanet_b_pretrain": {**_PUBLISHED, "steps": 250_000, "batch_size": 2048, "warmup": 0.01, "dropout": 0.5},
        "finetune": {**_PUBLISHED, "steps": 20_000, "batch_size": 256, "warmup": 0.1, "nesterov": False},
        "finetune_resnet": _KORNBLITH,
        # Tan & Le 2019 (arXiv 1905.11946, section 5.3) fine-tune EfficientNets as Kornblith et al. do. Keras' example,
        # "Image classification via fine-tuning with EfficientNet", keeps normalisation as in inference.
        "finetune_efficientnet": {**_KORNBLITH, "batch_norm": "frozen"},
        "finetune_convnext": _CONVNEXT,
        "finetune_vit": _VIT,
        "finetune_vit_sgd": _VIT_SGD,
        # For `compact_cnn` on small images, as in the embedded benchmark.
        "small_classifier": {**_SMALL, "steps": 1500, "batch_size": 128},
        "small_pretrain": {**_SMALL, "steps": 300, "batch_size": 128},
        "small_finetune": {**_SMALL, "steps": 100, "batch_size": 64, "learning_rate": 0.1, "shift": 1},
    }
)
