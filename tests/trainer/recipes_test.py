import math

import pydantic
import pytest

from trainer.loop import schedules
from trainer.recipes import PRESETS, Compute, Recipe

REQUIRED = {"steps": 300, "batch_size": 128, "learning_rate": 0.4}


def test_what_is_left_out_is_off():
    recipe = Recipe(**REQUIRED)
    assert recipe.model_dump() == {
        **REQUIRED,
        "base_batch_size": None,
        "warmup": 0.1,
        "optimizer": "sgd",
        "momentum": 0.9,
        "nesterov": False,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "l2": 0.0,
        "weight_decay": 0.0,
        "clip_norm": None,
        "ema": None,
        "layer_decay": 1.0,
        "frozen_epochs": 0.0,
        "batch_norm": "train",
        "loss": "softmax",
        "focal_gamma": 2.0,
        "focal_alpha": 0.25,
        "label_smoothing": 0.0,
        "dropout": 0.0,
        "crop": None,
        "shift": 0,
        "flip": False,
        "rand_augment": 0.0,
        "mixup": 0.0,
        "cutmix": 0.0,
        "evaluate": None,
        "export": "last",
    }


@pytest.mark.parametrize("key", REQUIRED)
def test_what_has_to_be_there(key):
    with pytest.raises(pydantic.ValidationError, match=rf"(?s){key}.*[Ff]ield required"):
        Recipe(**{name: value for name, value in REQUIRED.items() if name != key})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("steps", 0, "greater than 0"),
        ("steps", 2.5, "valid integer"),
        ("batch_size", -1, "greater than 0"),
        ("batch_size", "128", "valid integer"),
        ("learning_rate", 0, "greater than 0"),
        ("learning_rate", float("nan"), "finite number"),
        ("learning_rate", "fast", "valid number"),
        ("warmup", -0.1, "greater than or equal to 0"),
        ("warmup", 1, "less than 1"),
        ("momentum", 1.0, "less than 1"),
        ("nesterov", 1, "valid boolean"),
        ("l2", -1e-9, "greater than or equal to 0"),
        ("clip_norm", 0.0, "greater than 0"),
        ("base_batch_size", 0, "greater than 0"),
        ("ema", 1.0, "less than 1"),
        ("ema", 0.0, "greater than 0"),
        ("frozen_epochs", -0.5, "greater than or equal to 0"),
        ("layer_decay", 0.0, "greater than 0"),
        ("layer_decay", 1.01, "less than or equal to 1"),
        ("batch_norm", "fixed", "'train' or 'frozen'"),
        ("optimizer", "adam", "'sgd', 'sgdw', 'adamw' or 'lamb'"),
        ("beta_1", 1.0, "less than 1"),
        ("beta_2", -0.1, "greater than or equal to 0"),
        ("epsilon", 0.0, "greater than 0"),
        ("weight_decay", -0.1, "greater than or equal to 0"),
        ("loss", "hinge", "'softmax', 'sigmoid' or 'focal'"),
        ("focal_gamma", -1.0, "greater than or equal to 0"),
        ("focal_alpha", 1.0, "less than 1"),
        ("label_smoothing", 1.0, "less than 1"),
        ("dropout", 1.0, "less than 1"),
        ("shift", -1, "greater than or equal to 0"),
        ("shift", 0.5, "valid integer"),
        ("flip", "yes", "valid boolean"),
        ("crop", 0.0, "greater than 0"),
        ("crop", 1.01, "less than or equal to 1"),
        ("rand_augment", 1.01, "less than or equal to 1"),
        ("rand_augment", -0.01, "greater than or equal to 0"),
        ("mixup", -0.01, "greater than or equal to 0"),
        ("cutmix", -0.01, "greater than or equal to 0"),
    ],
)
def test_impossible_values(key, value, message):
    with pytest.raises(pydantic.ValidationError, match=message) as error:
        Recipe(**{**REQUIRED, key: value})
    assert [entry["loc"] for entry in error.value.errors()] == [(key,)]


def test_a_misspelt_key():
    with pytest.raises(pydantic.ValidationError, match=r"unknown key 'warm_up' \(did you mean 'warmup'\?\)"):
        Recipe(**REQUIRED, warm_up=0.1)


@pytest.mark.parametrize(
    ("preset", "steps", "batch_size", "peak", "ramp_steps"),
    [
        ("inception_v3_pretrain", 2_000_000, 1024, 0.4, 20_000),
        ("amoebanet_b_pretrain", 250_000, 2048, 0.8, 2_500),
        ("finetune", 20_000, 256, 0.1, 2_000),
        ("finetune_resnet", 20_000, 256, 0.01, 0),
        ("finetune_efficientnet", 20_000, 256, 0.01, 0),
        ("finetune_convnext", 20_000, 512, 5e-5, 0),
        ("finetune_vit", 20_000, 1024, 4e-3, 2_000),
        ("finetune_vit_sgd", 10_000, 512, 0.01, 500),
        ("small_classifier", 1500, 128, 0.4, 150),
        ("small_pretrain", 300, 128, 0.4, 30),
        ("small_finetune", 100, 64, 0.1, 10),
    ],
)
def test_presets_and_their_learning_rate_curves(preset, steps, batch_size, peak, ramp_steps):
    recipe = Recipe(preset=preset)
    assert (recipe.steps, recipe.batch_size, recipe.ramp_steps) == (steps, batch_size, ramp_steps)
    schedule = schedules.RampThenCosine(recipe.peak_learning_rate, recipe.ramp_steps, recipe.steps)

    def cosine(step: int) -> float:
        return peak * (1 + math.cos(math.pi * (step - ramp_steps) / (steps - ramp_steps))) / 2

    if ramp_steps:
        assert float(schedule(0)) == 0
        assert float(schedule(ramp_steps // 2)) == pytest.approx(peak / 2, rel=1e-5)
    assert float(schedule(ramp_steps)) == pytest.approx(peak, rel=1e-5)
    assert float(schedule(steps // 2)) == pytest.approx(cosine(steps // 2), rel=1e-4)
    # Float32 keeps seven digits of the peak, of which the last steps are a part that small.
    assert float(schedule(steps - 1)) == pytest.approx(cosine(steps - 1), abs=1e-6 * peak)
    assert float(schedule(steps)) == pytest.approx(0, abs=1e-6 * peak)


def test_a_random_start_drops_what_needs_a_trained_backbone():
    more = {"layer_decay": 0.8, "frozen_epochs": 2.0, "batch_norm": "frozen"}
    assert Recipe(**REQUIRED, dropout=0.2, **more).for_random_start() == Recipe(**REQUIRED, dropout=0.2)
    Recipe(**REQUIRED, dropout=0.2, **more).for_random_start().check_random_start()
    for key, value in more.items():
        with pytest.raises(ValueError, match=f"{key}: {value!r} for a backbone that starts at random"):
            Recipe(**REQUIRED, **{key: value}).check_random_start()


def test_decoupled_decay_takes_the_place_of_the_presets():
    recipe = Recipe(preset="small_pretrain", optimizer="adamw", weight_decay=0.05)
    assert (recipe.l2, recipe.weight_decay) == (0.0, 0.05)
    assert Recipe(preset="small_pretrain", optimizer="adamw", weight_decay=0.05, l2=1e-4).l2 == 1e-4
    assert Recipe(preset="small_pretrain", optimizer="lamb").l2 == 4e-5
    with pytest.raises(pydantic.ValidationError, match=r"weight_decay: 0\.05 is for optimizer 'sgdw', 'adamw'"):
        Recipe(preset="small_pretrain", weight_decay=0.05)


@pytest.mark.parametrize(("loss", "activation"), [("softmax", "softmax"), ("sigmoid", "sigmoid"), ("focal", "sigmoid")])
def test_the_probabilities_of_a_loss(loss, activation):
    recipe = Recipe(preset="finetune", loss=loss)
    assert recipe.activation == activation
    assert recipe.label_smoothing == (0.1 if loss == "softmax" else 0.0)


def test_every_preset_has_its_curve_tested():
    assert set(PRESETS) == {
        "inception_v3_pretrain",
        "amoebanet_b_pretrain",
        "finetune",
        "finetune_resnet",
        "finetune_efficientnet",
        "finetune_convnext",
        "finetune_vit",
        "finetune_vit_sgd",
        "small_classifier",
        "small_pretrain",
        "small_finetune",
    }


def test_the_optimisers_of_the_families():
    recipes = {name: Recipe(preset=name) for name in PRESETS if name.startswith("finetune_")}
    found = {name: (r.optimizer, r.layer_decay, r.weight_decay, r.batch_norm) for name, r in recipes.items()}
    assert found == {
        "finetune_resnet": ("sgd", 1.0, 0.0, "train"),
        "finetune_efficientnet": ("sgd", 1.0, 0.0, "frozen"),
        "finetune_convnext": ("adamw", 0.8, 1e-8, "train"),
        "finetune_vit": ("adamw", 0.75, 0.05, "train"),
        "finetune_vit_sgd": ("sgd", 1.0, 0.0, "train"),
    }


def test_what_is_given_goes_before_the_preset_and_the_preset_leaves_no_trace():
    recipe = Recipe(preset="amoebanet_b_pretrain", batch_size=512, nesterov=False, dropout=0.0)
    assert (recipe.steps, recipe.batch_size, recipe.nesterov, recipe.dropout) == (250_000, 512, False, 0.0)
    spelt_out = Recipe.model_validate(recipe.model_dump())
    assert "preset" not in recipe.model_dump()
    assert spelt_out.model_dump() == recipe.model_dump()


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("fine_tune", r"preset: 'fine_tune' is not one of .*mean finetune\?"),
        (["finetune"], r"preset: \['finetune'\] is not"),
    ],
    ids=["misspelt", "a list"],
)
def test_an_unknown_preset(preset, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        Recipe(preset=preset)


def test_the_smoothing_of_a_preset_gives_way_to_sigmoids():
    assert Recipe(preset="finetune").label_smoothing == 0.1
    assert Recipe(preset="finetune", loss="sigmoid").label_smoothing == 0.0
    with pytest.raises(pydantic.ValidationError, match="label_smoothing"):
        Recipe(preset="finetune", loss="sigmoid", label_smoothing=0.1)


def test_the_learning_rate_follows_the_batch_size_only_where_it_is_asked_to():
    assert Recipe(**REQUIRED).peak_learning_rate == 0.4
    assert Recipe(**REQUIRED, base_batch_size=512).peak_learning_rate == pytest.approx(0.1)
    assert Recipe(**{**REQUIRED, "batch_size": 512}, base_batch_size=256).peak_learning_rate == pytest.approx(0.8)


def test_a_ramp_leaves_a_step_to_decay():
    assert Recipe(**{**REQUIRED, "steps": 2}, warmup=0.99).ramp_steps == 1
    assert Recipe(**{**REQUIRED, "steps": 1}).ramp_steps == 0


def test_smoothing_belongs_to_a_distribution():
    with pytest.raises(pydantic.ValidationError, match=r"label_smoothing: 0\.1 .* set it to 0, or loss to 'softmax'"):
        Recipe(**REQUIRED, loss="sigmoid", label_smoothing=0.1)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("distribution", "gpu", "'auto', 'cpu'"),
        ("precision", "float64", "'float32', 'bfloat16'"),
        ("xla", 1, "boolean"),
    ],
)
def test_hardware_that_is_not_known(key, value, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        Compute(**{key: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluate": {}}, "every_steps, every_minutes: set one of them"),
        ({"evaluate": {"every_steps": 5, "every_minutes": 2.0}}, "every_steps, every_minutes: set one of them"),
        ({"evaluate": {"every_steps": 0}}, "every_steps"),
        ({"evaluate": {"every_steps": 5, "examples": 0}}, "examples"),
        ({"export": "best"}, "export: 'best' needs evaluations"),
        ({"export": "best", "evaluate": {"every_minutes": 2.0}}, "export: 'best' needs evaluations"),
        ({"export": "first"}, "export"),
    ],
    ids=["neither", "both", "0 steps", "0 examples", "best alone", "best by the clock", "unknown"],
)
def test_evaluations_that_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Recipe(steps=10, batch_size=2, learning_rate=0.1, **changes)
