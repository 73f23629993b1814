import pydantic
import pytest

from components.settings import StrictModel


class Inner(StrictModel):
    depth: int = 1


class Outer(StrictModel):
    learning_rate: float
    steps: int = 5
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"learning_rate": 0.1, "learning_rat": 0.1},
            r"unknown key 'learning_rat' \(did you mean 'learning_rate'\?\); allowed are learning_rate, steps, inner",
        ),
        ({"learning_rate": 0.1, "zoo": 1}, "unknown key 'zoo'; allowed are learning_rate, steps, inner"),
        ({"learning_rate": 0.1, 3: 1}, "unknown key 3; allowed are"),
        ({"learning_rate": 0.1, "inner": {"dept": 2}}, r"(?s)inner.*unknown key 'dept' \(did you mean 'depth'\?\)"),
    ],
    ids=["near match", "no match", "not a string", "nested"],
)
def test_an_unknown_key_is_named_with_the_known_ones(values, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        Outer.model_validate(values)


def test_a_model_without_keys_says_so():
    class Empty(StrictModel):
        pass

    with pytest.raises(pydantic.ValidationError, match="unknown key 'width'; allowed are none"):
        Empty(width=1)


@pytest.mark.parametrize(
    ("key", "value"), [("steps", "5"), ("steps", 5.0), ("steps", True), ("learning_rate", "0.1"), ("inner", None)]
)
def test_nothing_is_converted(key, value):
    with pytest.raises(pydantic.ValidationError) as error:
        Outer(**{"learning_rate": 0.1, key: value})
    assert [entry["loc"] for entry in error.value.errors()] == [(key,)]


def test_a_whole_number_may_stand_for_a_float():
    assert Outer(learning_rate=1).learning_rate == 1.0
