"""The node of a source classifier that exists already, and what is refused before anything runs."""

import json
import pathlib
import zipfile

import pytest

from components.artifacts import vocabulary
from pipeline.compare import matrix
from pipeline.config.run import Config
from pipeline.pipeline import create_pipeline
from pipeline.place import Place

SHARES = {"train": 0.8, "eval": 0.2}
LABELS = ["owl", "crow", "cat"]
INPUT = {"size": 24, "channels": 3, "range": [-1, 1]}


class Files:
    """Data of which only the names are read, and files that look like classifiers."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        for path in ("animals/owl/1.jpg", "animals/cat/2.jpg", "animals/dog/3.jpg", "pets/rex/3.jpg"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        self.own = self.saved_model("own", LABELS)
        self.plain = self.saved_model("plain", None)
        self.labels = self.text("labels.txt", "\n".join(LABELS))
        self.weights = self.text("net.weights.h5", "weights")
        self.keras = self.keras_file("net.keras", [None, 32, 32, 3])

    def text(self, name: str, text: str) -> str:
        path = self.root / name
        path.write_text(text)
        return str(path)

    def saved_model(self, name: str, labels: list[str] | None) -> str:
        folder = self.root / name
        (folder / "assets.extra").mkdir(parents=True)
        (folder / "saved_model.pb").write_text(name)
        if labels:
            table = vocabulary.dumps(vocabulary.make_vocabulary(labels))
            (folder / "assets.extra" / "labels.csv").write_text(table)
        return str(folder)

    def keras_file(self, name: str, shape: list, layer: str = "backbone") -> str:
        inside = {"class_name": "InputLayer", "config": {"batch_shape": shape}}
        layers = [{"class_name": "Functional", "config": {"name": layer, "layers": [inside]}}]
        with zipfile.ZipFile(self.root / name, "w") as archive:
            archive.writestr("config.json", json.dumps({"config": {"layers": layers}}))
        return str(self.root / name)

    def config(self, classifier: dict, of_pets: tuple[str, ...] = ("same_distribution",), **changes) -> Config:
        pets = {"data": {"folder": str(self.root / "pets"), "splits": SHARES}, "arms": [*of_pets]}
        content = {
            "name": "animals",
            "image": {"size": 32},
            "backbone": {"name": "compact_cnn"},
            "source": {"folder": str(self.root / "animals"), "splits": SHARES},
            "targets": {"pets": pets},
            "classifier": classifier,
            "pretrain": {"preset": "small_pretrain"},
            "finetune": {"preset": "small_finetune"},
            "resample": {"n": 10},
        }
        return Config.model_validate({**content, **changes})

    def nodes(self, *args, **changes) -> dict:
        pipeline = create_pipeline(self.config(*args, **changes), Place.local("here"))
        return {node.id: node for node in pipeline.components}


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path)


def above(nodes: dict, name: str) -> set[str]:
    """Returns the ids of all nodes that a node waits for."""
    found, waiting = set(), [name]
    while waiting:
        new = {node.id for node in nodes[waiting.pop()].upstream_nodes} - found
        found |= new
        waiting += new
    return found


def test_it_is_imported_before_anything_is_read(files):
    nodes = files.nodes({"model": files.own})
    importer = nodes["source-classifier"]
    assert type(importer).__name__ == "ModelImporter"
    assert not importer.upstream_nodes
    assert above(nodes, "pets-examples") == {"source-classifier"}
    assert above(nodes, "source-examples") == {"source-classifier", "pets-examples"}
    for predictions in ("source-predictions", "pets-predictions"):
        [producer] = nodes[predictions].inputs["model"].get_data_dependent_node_ids()
        assert producer == "source-classifier"
    assert json.loads(importer.exec_properties["settings"])["model"] == files.own


def test_a_published_network(files):
    classifier = {"backbone": {"name": "compact_cnn"}, "weights": files.weights, "labels": files.labels}
    importer = files.nodes(classifier, ("warm_start",))["source-classifier"]
    settings = json.loads(importer.exec_properties["settings"])
    assert settings["image"] == {"size": 32, "channels": 3, "central_crop": 1.0}  # the run's
    assert (settings["weights"], settings["labels"]) == (files.weights, files.labels)
    smaller = files.nodes({**classifier, "image": {"size": 24}})["source-classifier"]
    assert json.loads(smaller.exec_properties["settings"])["image"]["size"] == 24


def test_each_file_is_a_part_of_the_cache_key(files):
    pairs = files.text("map.csv", "label,source\ncrow,owl\n")
    classifier = {"backbone": {"name": "compact_cnn"}, "weights": files.weights, "labels": files.labels}
    keys = []
    for changed in (None, files.weights, files.labels, pairs):
        if changed is not None:
            with open(changed, "a") as file:  # which changes nothing of what it says
                file.write("\n")
        node = files.nodes({**classifier, "label_map": pairs})["source-classifier"]
        keys.append(node.exec_properties["fingerprint"])
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        ({"model": "{root}/gone"}, r"^classifier.model: '.*gone' is not there; correct the path"),
        (
            {"backbone": {"name": "compact_cnn"}, "weights": "{root}/gone.h5", "labels": "{root}/labels.txt"},
            r"^classifier.weights: '.*gone.h5' is not there",
        ),
        (
            {"backbone": {"name": "compact_cnn"}, "weights": "{root}/net.weights.h5", "labels": "{root}/gone.txt"},
            r"^classifier.labels: '.*gone.txt' is not there",
        ),
        ({"model": "{root}/own", "label_map": "{root}/gone.csv"}, r"^classifier.label_map: '.*gone.csv' is not there"),
        (
            {"model": "{root}/plain", "input": INPUT},
            r"^classifier.labels: missing, and '.*plain' has none in it; name a",
        ),
        (
            {"model": "{root}/own", "label_map": "{root}/labels.txt"},
            r"^classifier.label_map: '.*labels.txt': has the columns owl; they have to be label,source",
        ),
        (
            {"model": "{root}/own", "label_map": "{root}/unknown.csv"},
            r"^classifier.label_map: '.*unknown.csv': 'dogs' is no label of the source \(did you mean 'dog'\?\)",
        ),
        (
            {"model": "{root}/plain", "input": INPUT, "labels": "{root}/others.txt"},
            r"^classifier.labels: none of the classifier's 2 labels \('fork', 'spoon'\) is one of the source's 3",
        ),
    ],
    ids=["model", "weights", "labels", "map", "no labels", "no map", "unknown label", "nothing maps"],
)
def test_files_that_do_not_fit(files, classifier, message):
    files.text("unknown.csv", "label,source\ncrow,dogs\n")
    files.text("others.txt", "fork\nspoon")
    filled = {
        key: value.format(root=files.root) if isinstance(value, str) else value for key, value in classifier.items()
    }
    with pytest.raises(ValueError, match=message):
        files.nodes(filled)


def test_estimators_that_need_a_label_for_each_of_the_sources(files):
    with pytest.raises(ValueError, match=r"^prior.estimator: 'em' .*'fitted' needs .* 1 of 3 have none, such as 'dog'"):
        files.nodes({"model": files.own}, prior={"estimator": "em"})
    pairs = files.text("map.csv", "label,source\ncrow,dog\n")
    assert files.nodes({"model": files.own, "label_map": pairs}, prior={"estimator": "em"})
    own = {"arms": {"by_em": {"matcher": "same_distribution", "estimator": "em"}}}
    with pytest.raises(ValueError, match=r"^arms.by_em.estimator: 'em'"):
        files.nodes({"model": files.own}, ("entire_source", "by_em"), **own)


@pytest.mark.parametrize(
    ("form", "arm", "message"),
    [
        (
            "own",
            "entire_source_total",
            "targets.pets.arms.0: 'entire_source_total' has steps: 'total' counts",
        ),
        ("own", "warm_start", "targets.pets.arms.0: 'warm_start' has start: 'classifier', but .* is a SavedModel"),
        ("own", "source_classifier", "targets.pets.arms.0: 'source_classifier' has start: .* name a .keras file"),
        ("plain", "emd_subset", "targets.pets.arms.0: 'emd_subset' has matcher: .* gives no features"),
    ],
)
def test_arms_that_a_saved_model_cannot_have(files, form, arm, message):
    classifier = {"own": {"model": files.own}, "plain": {"model": files.plain, "labels": files.labels}}[form]
    with pytest.raises(ValueError, match=message):
        files.config(classifier, (arm,))
    with pytest.raises(ValueError, match=f"compare.arms: '{arm}' has "):
        files.config(classifier, compare={"arms": ["entire_source", arm]})


def test_what_only_needs_features(files):
    assert files.config({"model": files.own}, ("emd_subset",), near_duplicates={"embeddings": 0.9})
    plain = {"model": files.plain, "labels": files.labels}
    assert files.config({**plain, "features_key": "pooled"}, ("emd_subset",), near_duplicates={"embeddings": 0.9})
    with pytest.raises(ValueError, match=r"near_duplicates.embeddings: 0.9, but classifier.model .* gives no features"):
        files.config(plain, near_duplicates={"embeddings": 0.9})


def test_arms_that_start_from_another_network(files):
    classifier = {"backbone": {"name": "inception_v3"}, "weights": files.weights, "labels": files.labels}
    with pytest.raises(ValueError, match=r"'warm_start' has start: .* classifier.backbone .*inception_v3"):
        files.config({**classifier, "image": {"size": 75}}, ("warm_start",))
    same = {**classifier, "backbone": {"name": "compact_cnn"}}
    with pytest.raises(ValueError, match=r"'warm_start' has start: .* classifier.image .*24"):
        files.config({**same, "image": {"size": 24}}, ("warm_start",))
    assert files.config(same, ("warm_start",))


def test_a_published_head_of_several_layers_leaves_no_backbone(files):
    backbone = {"name": "vgg16"}
    classifier = {"backbone": backbone, "weights": files.weights, "labels": files.labels}
    assert files.config(classifier, backbone=backbone)
    with pytest.raises(ValueError, match=r"'warm_start' has start: 'classifier', but the published head of vgg16"):
        files.config(classifier, ("warm_start",), backbone=backbone)


def test_the_images_of_a_published_network(files):
    inception = {"backbone": {"name": "inception_v3"}, "weights": files.weights, "labels": files.labels}
    with pytest.raises(ValueError, match=r"classifier.backbone, with the run's image, .*image.size: 32"):
        files.config(inception)
    counts = {
        "name": "animals",
        "source": {"counts": "uniform"},
        "targets": {"pets": {"data": {"folder": str(files.root / "pets")}}},
    }
    with pytest.raises(ValueError, match=r"image: missing, and .* set image or classifier.image"):
        Config.model_validate({**counts, "classifier": inception})
    assert Config.model_validate({**counts, "classifier": {**inception, "image": {"size": 75}}})


def test_arms_that_start_from_a_keras_file(files):
    classifier = {"model": files.keras, "labels": files.labels}
    assert files.nodes(classifier, ("warm_start", "source_classifier"))
    other = {**classifier, "model": files.keras_file("small.keras", [None, 16, 16, 3])}
    assert files.nodes(other, ("entire_source",))
    with pytest.raises(
        ValueError, match=r"targets.pets.arms.0: 'warm_start' starts .* are \(16, 16, 3\) .*\(32, 32, 3\)"
    ):
        files.nodes(other, ("warm_start",))
    plain = {**classifier, "model": files.keras_file("plain.keras", [None, 32, 32, 3], layer="network")}
    with pytest.raises(ValueError, match=r"targets.pets.arms.0: 'warm_start' starts .* has no layer 'backbone'"):
        files.nodes(plain, ("warm_start",))
    broken = {**classifier, "model": files.text("broken.keras", "no archive")}
    with pytest.raises(ValueError, match=r"^classifier.model: '.*broken.keras' cannot be read"):
        files.nodes(broken, ("warm_start",))


def test_the_head_is_left_out_unless_each_label_stands_for_itself(files):
    def new_head(labels: list[str], pairs: str = "") -> bool:
        classifier = {"model": files.keras, "labels": files.text("own.txt", "\n".join(labels))}
        if pairs:
            classifier["label_map"] = files.text("map.csv", f"label,source\n{pairs}")
        node = files.nodes(classifier, ("warm_start",))["pets-warm-start-specialist"]
        return json.loads(node.exec_properties["custom_config"]).get("new_head", False)

    assert not new_head(["dog", "owl", "cat"])  # the source's, in another order
    assert not new_head(["dog", "owl", "cat"], "dog,dog\n")
    assert new_head(["dog", "owl"])
    assert new_head(["dog", "owl", "cat", "emu"])
    assert new_head(["dog", "owl", "cat"], "dog,cat\ncat,dog\n")
    assert new_head(["dog", "owl", "cat"], "dog,\n")


def test_a_comparison_cannot_vary_it(files):
    config = files.config({"model": files.own}, compare={"vary": ["classifier"]})
    with pytest.raises(ValueError, match=r"^compare.vary: has classifier, but that exists already"):
        matrix.list_cells(config)


def test_a_comparison_of_all_arms_leaves_out_what_it_cannot_have(files):
    found = matrix.list_cells(files.config({"model": files.own}, compare={"arms": "all", "seeds": 1}))
    assert {"warm_start", "source_classifier", "entire_source_total"} <= found.lacking["pets"].keys()
    assert "same_distribution" in {cell.arm for cell in found.cells}


def test_it_costs_nothing(files):
    config = files.config({"model": files.own})
    assert (config.trained_classifier, config.classifier_images) == (None, 0)


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        ({"model": "a", "backbone": {"name": "compact_cnn"}}, "has model and backbone; a classifier is either"),
        ({"model": "a", "preset": "small_classifier"}, "has model and preset; a classifier that exists already"),
        ({"model": "a", "ouput": "logits"}, r"unknown key 'ouput' \(did you mean 'output'"),
        ({"model": "a.keras", "signature": "x", "labels": "b"}, "signature: 'x' is for a SavedModel"),
        ({"model": "a.keras"}, "labels: missing, and 'a.keras' has none in it"),
        ({"model": "a", "input": {"size": 8, "range": [1, -1]}}, "range\n.*the value of black has to be below"),
        ({"weights": "a", "labels": "b"}, "backbone\n.*required"),
        ({"weights": "a", "backbone": {"name": "compact_cnn"}}, "labels\n.*required"),
        (
            {"weights": "a", "labels": "b", "backbone": {"name": "inception_v3"}, "image": {"size": 32}},
            "image.size: 32",
        ),
    ],
    ids=["two kinds", "preset", "key", "signature", "labels", "range", "no backbone", "no labels", "size"],
)
def test_settings_that_are_wrong(files, classifier, message):
    with pytest.raises(ValueError, match=message):
        files.config(classifier)


def test_label_counts_of_the_classifiers_own_labels(files):
    """What a person needs who has neither the source nor a network of their own."""
    config = Config.model_validate(
        {
            "name": "animals",
            "source": {"counts": "uniform"},
            "targets": {"pets": {"data": {"folder": str(files.root / "pets")}}},
            "classifier": {"model": files.own},
        }
    )
    nodes = {node.id: node for node in create_pipeline(config, Place.local("here"), "prior").components}
    assert type(nodes["source-classifier"]).__name__ == "ModelImporter"
    assert above(nodes, "pets-examples") == {"source-classifier"}
