"""Hierarchies: reading each format, applying one to a vocabulary, and finding the labels below a node."""

import json

import pytest

from components.artifacts import hierarchy, vocabulary

ANIMALS = vocabulary.make_vocabulary(
    ["sparrow", "cat", "animal", "eagle", "car", "penguin"],
    {
        "sparrow": ["bird"],
        "cat": ["animal", "pet"],
        "animal": ["thing"],
        "eagle": ["bird", "raptor"],
        "penguin": ["bird"],
        "car": ["thing"],
        "bird": ["animal"],  # two nodes that are no labels, one over the other
        "raptor": ["hunter"],
        "hunter": ["danger"],
        "wheel": ["thing"],  # above no label
    },
)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (["bird"], (0, 3, 5)),
        (["raptor"], (3,)),
        (["danger"], (3,)),
        (["car"], (4,)),
        (["raptor", "pet"], (1, 3)),
        (["eagle", "bird"], (0, 3, 5)),
        (["thing"], (0, 1, 2, 3, 4, 5)),
        (["animal"], (0, 1, 2, 3, 5)),  # a bird is an animal, though no label says so itself
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
        (["hunters"], "'hunters'; did you mean 'hunter'"),
        (["wheel"], r"'wheel'; there are \['animal', 'bird', 'car'"),  # what lies above no label is not kept
        (["xyzzy"], r"'xyzzy'; there are \['animal', 'bird', 'car'"),
    ],
)
def test_no_such_node(nodes, message):
    with pytest.raises(ValueError, match=message):
        vocabulary.descendants(ANIMALS, nodes)


CSV = 'name,parent\ncat,animal\ncat,pet\n"crane, grey",bird\nbird,animal\nanimal,\n'
OPEN_IMAGES = json.dumps(
    {
        "LabelName": "/m/0",
        "Subcategory": [
            {"LabelName": "/m/bird", "Subcategory": [{"LabelName": "/m/owl"}, {"LabelName": "/m/hen"}]},
            {"LabelName": "/m/car", "Part": [{"LabelName": "/m/wheel", "Subcategory": [{"LabelName": "/m/rim"}]}]},
            {"LabelName": "/m/food", "Subcategory": [{"LabelName": "/m/hen"}]},
        ],
    }
)
# Lines of the shape of WordNet 3.0's file; the last but one has eleven words, and pointers that are no hypernyms.
WORDNET = (
    "  1 This software and database is being provided to you, the LICENSEE, by  \n"
    "  2 Princeton University under the following license.  \n"
    "00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 ~ 00002137 n 0000 ~ 04424418 n 0000 | all that is  \n"
    '01503061 05 n 01 bird 0 002 @ 00001740 n 0000 ~ 02012849 n 0000 | has feathers; "a | b"  \n'
    "02012849 05 n 01 crane 0 002 @ 01503061 n 0000 #m 02012000 n 0000 | wades  \n"
    "03126707 06 n 0b lifting_crane 4 a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 j 0 004 @ 00001740 n 0000 "
    "+ 02012849 v 0101 @ 00002098 a 0000 %p 02788689 n 0000 | lifts  \n"
    "11001000 18 n 02 Crane 0 Hart_Crane 0 001 @i 01503061 n 0000 | a poet  \n"
)
IS_A = "n00001740 n01503061\nn01503061 n02012849\nn00001740 n03126707\nn00000042 n02012849\n"


@pytest.mark.parametrize(
    ("text", "titles", "parents", "expected_titles"),
    [
        (CSV, None, {"cat": ["animal", "pet"], "crane, grey": ["bird"], "bird": ["animal"]}, {}),
        ("parent,name,more\nb,a,1\nb,a,2\n", None, {"a": ["b"]}, {}),
        (
            OPEN_IMAGES,
            '/m/owl,Owl\n/m/hen,"Hen, wet"\n',
            {
                "/m/bird": ["/m/0"],
                "/m/owl": ["/m/bird"],
                "/m/hen": ["/m/bird", "/m/food"],
                "/m/car": ["/m/0"],
                "/m/rim": ["/m/wheel"],
                "/m/food": ["/m/0"],
            },
            {"/m/owl": "Owl", "/m/hen": "Hen, wet"},
        ),
        (
            WORDNET,
            None,
            {
                "n01503061": ["n00001740"],
                "n02012849": ["n01503061"],
                "n03126707": ["n00001740"],
                "n11001000": ["n01503061"],
            },
            {
                "n00001740": "entity",
                "n01503061": "bird",
                "n02012849": "crane",
                "n03126707": "lifting crane",
                "n11001000": "Crane",
            },
        ),
        (
            IS_A,
            "n02012849\tcrane, wader\nn03126707\tcrane\n",
            {"n01503061": ["n00001740"], "n02012849": ["n01503061", "n00000042"], "n03126707": ["n00001740"]},
            {"n02012849": "crane", "n03126707": "crane"},
        ),
    ],
    ids=["csv", "csv-other-columns", "open-images", "data.noun", "is_a"],
)
def test_formats(text, titles, parents, expected_titles):
    read = hierarchy.parse(text, titles)
    assert dict(read.parents) == parents
    assert dict(read.titles) == expected_titles


@pytest.mark.parametrize(
    ("text", "titles", "message"),
    [
        ("", None, r"hierarchy: begins with ''; allowed are CSV with the columns name and parent, Open"),
        ("name,parents\na,b\n", None, r"hierarchy: begins with 'name,parents\\na,b\\n'; allowed"),
        ('{"LabelName": ', None, r"hierarchy: begins like JSON, but is not valid: Expecting value"),
        ('{"Name": "x"}', None, r"hierarchy: .* has no LabelName"),
        ('{"LabelName": "x", "Subcategory": ["y"]}', None, r"hierarchy: 'y' has no LabelName"),
        ("00001740 03 n 02 entity 0 001\n", None, r"'00001740 03 n 02 entity 0 001' is not a line of WordNet's"),
        ("n00001740 n01503061\nn00001740\n", None, r"begins with 'n00001740 n01503061"),
        (CSV, "a,b\nc\n", r"the row \['c'\] of the titles is not a name and a title"),
        ("name,parent\na,b\nb,c\nc,b\n", None, r"^hierarchy: 'b' → 'c' → 'b' is a cycle \(each lies below the next\)"),
        ("name,parent\nd,e\na,a\n", None, r"^hierarchy: 'a' → 'a' is a cycle"),
    ],
    ids=[
        "nothing", "columns", "broken-json", "other-json", "other-node", "short-line", "half-a-pair", "titles",
        "cycle", "own-parent",
    ],
)  # fmt: skip
def test_what_is_no_hierarchy(text, titles, message):
    with pytest.raises(ValueError, match=message):
        hierarchy.parse(text, titles)


def test_two_ways_to_the_same_node_are_no_cycle():
    hierarchy.check_acyclic({"a": ["b", "c"], "b": ["d"], "c": ["b", "d"], "d": []})


def test_a_long_chain_is_no_problem():
    hierarchy.check_acyclic({str(i): [str(i + 1)] for i in range(20_000)})


def test_a_vocabulary_under_a_hierarchy_keeps_its_order_and_goes_by_titles():
    labels = vocabulary.make_vocabulary(["n03126707", "other", "n02012849", "n11001000"], {"other": ["as it was"]})
    placed = vocabulary.apply_hierarchy(
        labels, hierarchy.parse(WORDNET, "n03126707\tcrane\nn99\tnothing\nother\tOther one\n")
    )
    assert placed == vocabulary.Vocabulary(
        names=("crane (n03126707)", "Other one", "crane (n02012849)", "Crane"),
        parents=(("entity",), (), ("bird",), ("bird",)),
        above={"bird": ("entity",)},
    )
    assert vocabulary.descendants(placed, ["bird"]) == (2, 3)
    with pytest.raises(ValueError, match=r"'crane'; did you mean 'crane \(n02012849\)' or 'crane \(n03126707\)'"):
        vocabulary.descendants(placed, ["crane"])


def test_open_images_by_display_name():
    labels = vocabulary.make_vocabulary(["/m/hen", "/m/rim", "/m/bird", "/m/owl", "/m/other"])
    titles = "LabelName,DisplayName\n/m/bird,Bird\n/m/owl,Owl\n/m/food,Food\n/m/hen,Hen\n"
    placed = vocabulary.apply_hierarchy(labels, hierarchy.parse(OPEN_IMAGES, titles))
    assert placed.names == ("Hen", "/m/rim", "Bird", "Owl", "/m/other")
    assert vocabulary.descendants(placed, ["Bird"]) == (0, 2, 3)
    assert vocabulary.descendants(placed, ["Food"]) == (0,)
    assert vocabulary.descendants(placed, ["/m/0"]) == (0, 2, 3)


def test_a_hierarchy_of_other_labels_is_refused():
    labels = vocabulary.make_vocabulary(["n1", "n2"])
    message = r"none of the 2 labels \(n1, n2, …\) is a node of it \(animal, bird, cat, …\); give a hierarchy of this"
    with pytest.raises(ValueError, match=message):
        vocabulary.apply_hierarchy(labels, hierarchy.parse(CSV))
