import pytest

from components.example_gen import vocabulary

ANIMALS = vocabulary.make(
    ["sparrow", "cat", "animal", "eagle", "car", "penguin"],
    {
        "sparrow": ["bird"],
        "cat": ["animal", "pet"],
        "animal": ["thing"],
        "eagle": ["bird", "raptor"],
        "penguin": ["bird"],
        "car": ["thing"],
    },
)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (["bird"], (0, 3, 5)),
        (["raptor"], (3,)),
        (["car"], (4,)),
        (["raptor", "pet"], (1, 3)),
        (["eagle", "bird"], (0, 3, 5)),
        (["thing"], (1, 2, 4)),  # a cat is an animal, and an animal is a thing
        (["animal"], (1, 2)),
        ([], ()),
    ],
)
def test_descendants(nodes, expected):
    assert vocabulary.descendants(ANIMALS, nodes) == expected


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (["birds"], "'birds'; did you mean 'bird'"),
        (["bird", "peguin"], "'peguin'; did you mean 'penguin'"),
        (["xyzzy"], r"'xyzzy'; there are \['animal', 'bird', 'car'"),
    ],
)
def test_no_such_node(nodes, message):
    with pytest.raises(ValueError, match=message):
        vocabulary.descendants(ANIMALS, nodes)
