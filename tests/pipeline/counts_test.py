"""`source.counts`: the label prior from a classifier that exists already and label counts, without source images."""

import json
import pathlib

import jsonschema
import keras
import numpy as np
import PIL.Image
import pytest
import yaml

import pipeline
from components import storage
from components.artifacts import label_counts, label_prior
from pipeline import record, session
from pipeline.config import reference
from pipeline.config.load import load
from pipeline.config.run import Config
from pipeline.pipeline import create_pipeline
from pipeline.place import Place
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
NAMES = ["owl", "crow", "wren", "tit", "jay"]
IMAGE = {"size": 16, "channels": 1}


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> dict:
    """The section `classifier` for a network with random weights."""
    root = tmp_path_factory.mktemp("network")
    keras.utils.set_random_seed(1)
    model = classifier.build(Backbone(name="compact_cnn").build(ImageConfig(**IMAGE)), len(NAMES))
    head = model.get_layer("head")
    head.set_weights([1000 * values for values in head.get_weights()])  # so that images differ
    model.save_weights(root / "model.weights.h5")
    (root / "labels.txt").write_text("\n".join(NAMES))
    return {
        "backbone": {"name": "compact_cnn"},
        "weights": str(root / "model.weights.h5"),
        "labels": str(root / "labels.txt"),
    }


@pytest.fixture(scope="module")
def pets(tmp_path_factory) -> str:
    """A folder of seven pictures, and no other."""
    root = tmp_path_factory.mktemp("pets")
    for i in range(7):
        pixels = np.random.default_rng(i).integers(0, 60 * i + 100, (20 + i, 30), np.uint16) % 256
        PIL.Image.fromarray(pixels.astype(np.uint8)).save(root / f"{i}.png")
    return str(root)


@pytest.fixture
def content(network, pets) -> dict:
    """The least that a configuration needs."""
    return {
        "name": "which-labels",
        "image": IMAGE,
        "source": {"counts": "uniform"},
        "classifier": network,
        "targets": {"pets": {"data": {"folder": pets}}},
    }


def nodes_of(content: dict) -> dict:
    place = Place.local("here")
    return {node.id: node for node in create_pipeline(Config.model_validate(content), place, "prior").components}


def read_prior(workspace: pathlib.Path, target: str) -> label_prior.LabelPrior:
    """Returns the prior of the newest run."""
    newest = next(iter(record.read_all(str(workspace)).values()))
    assert newest.until == "prior"
    path = f"{newest.uri(f'{target}-prior', 'label_prior')}/{label_prior.FILE_NAME}"
    return label_prior.from_table(storage.read_table(path))


def test_the_least_configuration_fits_the_schema_and_is_what_is_recorded(content):
    jsonschema.validate(content, json.loads(reference.SCHEMA.read_text(encoding="utf-8")))
    config = Config.model_validate(content)
    assert config.near_duplicates.enabled is False
    assert config.datasets().keys() == {"pets"}
    assert Config.model_validate(config.model_dump()) == config


def test_where_the_classifier_says_its_images_they_need_not_be_said_again(content):
    whole = {key: value for key, value in content.items() if key != "image"}
    with pytest.raises(ValueError, match=r"image: missing, and '.*model.weights.h5' does not say what images it takes"):
        Config.model_validate(whole)
    said = {**whole, "classifier": {**content["classifier"], "image": IMAGE}}
    assert nodes_of(said)["source-classifier"].exec_properties == nodes_of(content)["source-classifier"].exec_properties
    model = {"model": "/nowhere", "loss": "sigmoid"}
    assert Config.model_validate({**whole, "classifier": model}).image is None


def test_a_configuration_of_trainings_may_stay_as_it_is(network, pets):
    overrides = ["source={counts: uniform}", f"classifier={json.dumps(network)}"]
    config = load(DEMO, [*overrides, "image={size: 16, channels: 1}"])
    assert config.counts is not None and config.targets["digits"].arms


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classifier": {"preset": "small_classifier"}}, "classifier: a recipe needs the images of the source"),
        ({"prior": {"estimator": "em"}}, "prior.estimator: 'em' needs the images of the source"),
        ({"prior": {"estimator": "bbse"}}, "prior.estimator: 'bbse' needs the images of the source"),
        ({"prior": {"temperature": "fitted"}}, "prior.temperature: 'fitted' needs the images of the source"),
        ({"near_duplicates": {"enabled": True}}, "near_duplicates.enabled: true needs the images of the source"),
        ({"near_duplicates": {"embeddings": 0.9}}, "embeddings: 0.9 is a second stage"),
        ({"source": {"counts": "uniform", "folder": "a"}}, "unknown key 'folder'"),
        ({"source": {"counts": 3}}, "valid string"),
        ({"targets": {"pets": {"data": {"folder": "a", "splits": {"train": 0.5}}}}}, "lacks eval"),
    ],
)
def test_what_needs_images_of_the_source_is_refused(content, changes, message):
    with pytest.raises(ValueError, match=message):
        Config.model_validate({**content, **changes})


def test_a_label_map_has_nothing_to_map_to(content):
    mapped = {**content["classifier"], "label_map": "map.csv"}
    with pytest.raises(ValueError, match=r"classifier.label_map: 'map.csv', but with source.counts uniform"):
        Config.model_validate({**content, "classifier": mapped})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": {"folder": "a", "splits": {"train": 0.9, "eval": 0.1}}}, r"image, backbone, pretrain, finetune, "),
        (
            {"source": {"folder": "a"}},
            r"targets\.pets\.arms, source\.splits, targets\.pets\.data\.splits",
        ),
    ],
)
def test_with_data_nothing_may_be_left_out(content, changes, message):
    without = {key: value for key, value in content.items() if key != "image"}
    with pytest.raises(ValueError, match=message):
        Config.model_validate({**without, **changes})


def test_the_nodes(content, tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text(label_counts.dumps(dict(zip(NAMES[::-1], [5, 0, 3, 2, 1], strict=True))))
    given = nodes_of({**content, "source": {"counts": str(path)}})
    uniform = nodes_of(content)
    expected = {"source-classifier", "source-counts", "pets-examples", "pets-predictions", "pets-prior"}
    assert given.keys() == uniform.keys() == expected
    assert label_counts.loads(uniform["source-counts"].exec_properties["text"]) == dict.fromkeys(NAMES, 1)
    assert label_counts.loads(given["source-counts"].exec_properties["text"])["wren"] == 3
    others = expected - {"source-counts"}
    assert {name: given[name].exec_properties for name in others} == {
        name: uniform[name].exec_properties for name in others
    }


@pytest.mark.parametrize(("loss", "temperature"), [("softmax", 2.0), ("sigmoid", 1.0)])
def test_the_default_temperature_is_a_number(content, loss, temperature):
    nodes = nodes_of({**content, "classifier": {**content["classifier"], "loss": loss}})
    assert json.loads(nodes["pets-prior"].exec_properties["temperature"]) == temperature


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"^source\.counts: .*counts.csv' cannot be read: .*; correct the path"),
        ("label,count\n\xf6wl,1\n", r"^source\.counts: line 2 of .* is not utf-8: .*'\xf6wl,1'\); write it in UTF-8$"),
        ("label,count\nowl,x\n", r"^source\.counts: '.*counts.csv': line 2: the count of 'owl' is 'x'"),
        (
            "label,count\ncat,1\ndog,2\n",
            r"^source\.counts: .* classifier's 5 labels \('owl'.*\('cat', 'dog'\)",
        ),
        (
            "label,count\nowl,1\nemu,2\n",
            r"^source\.counts: .* has 1 label\(s\) .* \('emu'\); .* are 'owl', 'crow'",
        ),
    ],
)
def test_counts_that_do_not_fit(content, tmp_path, text, message):
    path = tmp_path / "counts.csv"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=message):
        nodes_of({**content, "source": {"counts": str(path)}})


def test_the_labels_of_the_file_are_those_that_the_map_says(content, tmp_path):
    (tmp_path / "map.csv").write_text(
        "label,source\nowl,bird of prey\ncrow,songbird\nwren,songbird\ntit,songbird\njay,\n"
    )
    (tmp_path / "counts.csv").write_text("label,count\nsongbird,3\nbird of prey,1\n")
    mapped = {**content["classifier"], "label_map": str(tmp_path / "map.csv")}
    counts = {"counts": str(tmp_path / "counts.csv")}
    nodes = nodes_of({**content, "classifier": mapped, "source": counts})
    assert label_counts.loads(nodes["source-counts"].exec_properties["text"]) == {"songbird": 3, "bird of prey": 1}
    with pytest.raises(ValueError, match=r"^source\.counts: .* \('songbird', 'bird of prey'\)"):
        nodes_of({**content, "source": counts})


@pytest.mark.parametrize("command", ["run", "forecast", "compare", "compile", "data", "tables"])
def test_what_trains_is_refused_in_a_line_before_anything_is_made(content, tmp_path, command):
    from pipeline.preview import command as preview

    config = Config.model_validate(content)
    workspace = str(tmp_path / "workspace")
    commands = {
        "run": lambda: session.run_config(config, workspace),
        "forecast": lambda: session.show_forecast(config, workspace),
        "compare": lambda: session.compare_config(config, workspace),
        "compile": lambda: session.compile_config(config, "kubeflow"),
        "data": lambda: preview.preview_config(config, None, images=1, thumbnails_folder=workspace, timing=False),
        "tables": lambda: session.show_results(config, [workspace], table="subsets", figure=None),
    }
    with pytest.raises(ValueError, match=r"^source\.counts: 'uniform' gives no images to train on; add --until prior"):
        commands[command]()
    assert not (tmp_path / "workspace").exists()


@pytest.mark.slow
def test_pictures_without_labels_have_a_prior(content, tmp_path, capfd):
    text = label_counts.dumps(dict(zip(NAMES[::-1], [5, 0, 3, 2, 1], strict=True)))
    (tmp_path / "counts.csv").write_text(text)
    ignored = {"pets": {**content["targets"]["pets"], "arms": ["entire_source_2x"], "push": "entire_source_2x"}}
    source = {"counts": str(tmp_path / "counts.csv")}
    config = Config.model_validate({**content, "source": source, "targets": ignored})
    outcome = session.run_config(config, str(tmp_path / "workspace"), "prior")
    assert (outcome.failed, outcome.unpushed) == ([], [])
    assert "P_t is estimated from 7 image(s)" in capfd.readouterr().out
    prior = read_prior(tmp_path / "workspace", "pets")
    assert prior.names == tuple(NAMES[::-1]) and prior.counts.tolist() == [5, 0, 3, 2, 1]
    assert prior.target_prior.max() > 1.05 / len(NAMES)  # the network says something
    # The same images in the other order of labels, and counts that say less.
    uniform = Config.model_validate(content)
    assert not session.run_config(uniform, str(tmp_path / "workspace"), "prior").failed
    other = read_prior(tmp_path / "workspace", "pets")
    assert other.names == tuple(NAMES) and np.array_equal(other.target_prior[::-1], prior.target_prior)
    assert np.allclose(other.weights, len(NAMES) * other.target_prior)


@pytest.mark.slow
def test_it_is_that_of_the_source_itself(tmp_path):
    settings = ["source.splits={train: 'train[:4%]', eval: 'eval[:4%]'}", "classifier.steps=20"]
    workspace = tmp_path / "workspace"
    assert not session.run_config(load(DEMO, settings), str(workspace), "prior").failed
    trained = read_prior(workspace, "digits")
    model = next(iter(record.read_all(str(workspace)).values())).uri("source-classifier", "model")
    (tmp_path / "counts.csv").write_text(
        label_counts.dumps(dict(zip(trained.names, trained.counts.tolist(), strict=True)))
    )
    model = {"model": f"{model}/Format-Serving"}
    digits = yaml.safe_load(pathlib.Path(DEMO).read_text())["targets"]["digits"]["data"]
    least = {"name": "least", "classifier": model, "targets": {"digits": {"data": digits}}}
    by_counts = Config.model_validate({**least, "source": {"counts": str(tmp_path / "counts.csv")}})
    by_data = load(DEMO, [settings[0], f"classifier={json.dumps(model)}"])
    for name, config in (("counts", by_counts), ("data", by_data)):
        assert not session.run_config(config, str(tmp_path / name), "prior").failed
        found = read_prior(tmp_path / name, "digits")
        assert found.names == trained.names
        assert np.array_equal(found.counts, trained.counts)
        np.testing.assert_allclose(found.target_prior, trained.target_prior, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.interval, trained.interval, rtol=0, atol=1e-12)  # labels that are mapped round
