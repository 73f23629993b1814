import pydantic
import pytest

from trainer.recipes import Recipe

REQUIRED = {"steps": 300, "batch_size": 128, "learning_rate": 0.4}


def test_what_is_left_out_is_off():
    recipe = Recipe(**REQUIRED)
    assert recipe.model_dump() == {
        **REQUIRED,
        "warmup": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "l2": 0.0,
        "clip_norm": None,
        "label_smoothing": 0.0,
        "dropout": 0.0,
        "crop": None,
        "shift": 0,
        "flip": False,
        "rand_augment": 0.0,
        "mixup": 0.0,
        "cutmix": 0.0,
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
