"""Recipes by name: the paper's, and small ones. Pure."""

import types

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
_SMALL = {"learning_rate": 0.4, "momentum": 0.9, "nesterov": True, "l2": 4e-5, "clip_norm": 5.0}

PRESETS = types.MappingProxyType(
    {
        "inception_v3_pretrain": {**_PUBLISHED, "steps": 2_000_000, "batch_size": 1024, "warmup": 0.01},
        "amoebanet_b_pretrain": {**_PUBLISHED, "steps": 250_000, "batch_size": 2048, "warmup": 0.01, "dropout": 0.5},
        "finetune": {**_PUBLISHED, "steps": 20_000, "batch_size": 256, "warmup": 0.1, "nesterov": False},
        # For `compact_cnn` on small images, as in the embedded benchmark.
        "small_classifier": {**_SMALL, "steps": 1500, "batch_size": 128},
        "small_pretrain": {**_SMALL, "steps": 300, "batch_size": 128},
        "small_finetune": {**_SMALL, "steps": 100, "batch_size": 64, "learning_rate": 0.1, "shift": 1},
    }
)
