"""Reading a configuration: what is taken, and what each mistake says."""

import ast
import hashlib
import pathlib
import subprocess
import sys

import pytest
import yaml

import pipeline
from pipeline.config.beam import MultiProcessing
from pipeline.config.load import load

DEMO = pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml"


@pytest.fixture
def write(tmp_path):
    def write(**changes) -> str:
        """Writes the demo's configuration with `changes` at its top level; None removes a key."""
        content = {**yaml.safe_load(DEMO.read_text(encoding="utf-8")), **changes}
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
        return str(path)

    return write


def test_the_demo():
    loaded = load(str(DEMO))
    assert (loaded.name, loaded.image.size, loaded.image.channels) == ("demo", 32, 1)
    assert loaded.classifier.steps == 1500
    assert loaded.pretrain.l2 == 4e-5
    assert loaded.targets["digits"].arms == ["entire_source", "same_distribution"]


@pytest.mark.parametrize("path", sorted(DEMO.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_that_ships_can_be_read(path):
    load(str(path))


def test_overrides_come_last_and_may_add_keys():
    loaded = load(
        str(DEMO),
        [
            "finetune.learning_rate=1e-3",
            "targets.digits.push=null",
            "backbone.name=inception_v3",
            "backbone.options.width=0.25",
            "image={size: 75, channels: 3}",
            "beam={runner: multi_processing, workers: 2}",
        ],
    )
    assert loaded.finetune.learning_rate == 0.001
    assert loaded.targets["digits"].push is None
    assert loaded.backbone.options == {"width": 0.25}
    assert loaded.beam == {"all": MultiProcessing(runner="multi_processing", workers=2)}


def test_a_target_is_left_out_by_null(write):
    digits = yaml.safe_load(DEMO.read_text(encoding="utf-8"))["targets"]["digits"]
    path = write(targets={"digits": digits, "numbers": digits, "figures": digits})
    assert list(load(path, ["targets.numbers=null"]).targets) == ["digits", "figures"]
    assert list(load(path, ["targets.numbers=null", "targets.digits=null"]).targets) == ["figures"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["prior.estimator=em"],
        ["prior.estimator=bbse", "prior.temperature=fitted"],
        ["prior.estimator=em", "prior.temperature=2.0", "prior.force=true"],
        ["classifier.loss=sigmoid"],
        ["classifier.loss=sigmoid", "prior.temperature=1.0"],
        ["classifier.loss=sigmoid", "prior.temperature=2.0", "prior.force=true"],
    ],
    ids=" ".join,
)
def test_temperatures_that_suit_the_estimator(overrides):
    load(str(DEMO), [*overrides, "classifier.label_smoothing=0"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["classifier.stepz=3"],
            r"classifier: unknown key 'stepz' \(did you mean 'steps'\?\); allowed are preset, steps, batch",
        ),
        (
            ["targets.digits.arms=[published_finetune]", "targets.digits.push=null"],
            r"backbone\.weights: missing, and the arm published_finetune needs it; set it",
        ),
        (["backbone.weights={path: a.h5, sha256: 12ab}"], r"backbone\.weights\.sha256: '12ab': string should match"),
        (["backbone.weights={licence: MIT}"], r"backbone\.weights\.path: field required"),
        (
            ["arms.mine={transfer: knn, steps: 0}"],
            r"arms\.mine: transfer: 'knn' of random weights says nothing; set start, or steps",
        ),
        (["arms.mine={start: published, transfer: svm}"], r"arms\.mine\.transfer: 'svm': input should be 'finetune', "),
        (["colour=red"], r"unknown key 'colour'; allowed are name, seed, image"),
        (["seed=zero"], r"seed: 'zero': input should be a valid integer"),
        (["seed=-1"], r"seed: -1: input should be greater than or equal to 0"),
        (["near_duplicates.distance=11"], r"near_duplicates\.distance: 11: input should be less than or equal to 10"),
        (
            ["near_duplicates.embeddings=0.9"],
            r"near_duplicates: embeddings: 0\.9 is a second stage; set enabled to true",
        ),
        (["resample.n=0"], r"resample\.n: 0: input should be greater than 0"),
        (["resample.n=1.5"], r"resample\.n: 1\.5: input should be a valid integer"),
        (["prior.temperature=0"], r"prior\.temperature: 0: must be a positive number, or 'fitted'"),
        (["prior.temperature=warm"], r"prior\.temperature: 'warm': must be a positive number, or 'fitted'"),
        (
            ["prior.estimator=em", "prior.temperature=2.0"],
            r"prior\.temperature: 2\.0, but the estimator 'em' assumes calibrated .* set force to true",
        ),
        (["classifier.loss=sigmoid", "prior.temperature=1.5"], r"prior\.temperature: 1\.5, but above 1 the sigmoids"),
        (["prior.estimator=mean"], r"prior\.estimator: 'mean': input should be 'mean_prediction', 'em' or 'bbse'"),
        (
            ["targets.digits.arms=[label_subset]", "targets.digits.push=null", "targets.digits.label_subset=null"],
            r"targets\.digits\.label_subset: missing, and the arm label_subset needs it",
        ),
        (["pretrain.warmup=1"], r"pretrain\.warmup: 1: input should be less than 1"),
        (
            ["pretrain.preset=small_pretrian"],
            r"pretrain: .*'small_pretrian' is not one of .*did you mean small_pretrain",
        ),
        (["finetune.shift=33"], r"finetune\.shift: 33; must be at most the image's size, 32 pixels"),
        (
            ["pretrain.frozen_epochs=1"],
            r"pretrain\.frozen_epochs: 1\.0 for a backbone that starts at random, which has to be trained",
        ),
        (["classifier.batch_norm=frozen"], r"classifier\.batch_norm: 'frozen' for a backbone .*: set it to 'train'"),
        (["pretrain.layer_decay=0.8"], r"pretrain\.layer_decay: 0\.8 for a backbone .*: set it to 1\.0"),
        (["classifier.loss=sigmoid", "prior.estimator=em"], r"prior\.estimator: 'em' assumes one label an image"),
        (["backbone.name=compct_cnn"], r"backbone\.name: 'compct_cnn': must be one of .*did you mean compact_cnn"),
        (["backbone.options={width: 2}"], r"backbone\.options.*unknown key 'width'; allowed are none"),
        (["image.size=15"], r"image\.size: 15; compact_cnn needs at least 16"),
        (["image.channels=4"], r"image\.channels: 4: must be 1 \(grey\) or 3 \(RGB\)"),
        (
            ["targets.digits.arms=[entire]", "targets.digits.push=null"],
            r"targets\.digits\.arms\.0: 'entire': must be one of entire_source",
        ),
        (["targets.digits.arms=[]"], r"targets\.digits\.arms: missing"),
        (
            ["targets.digits.evaluation.max_loss=1"],
            r"targets\.digits\.evaluation: unknown key 'max_loss'; it is called 'max_regression' now",
        ),
        (["targets.digits.push=elastic"], r"push: 'elastic' is not one of the arms entire_source, same_dist"),
        (["targets.digits.arms=[entire_source]"], r"push: 'same_distribution' is not one of the arms entire_source"),
        (["targets.digits.arms=[entire_source, entire_source]"], r"names an arm twice"),
        (["arms.small={matcher: same}"], r"arms\.small: matcher: 'same' is not one of same_distribution, "),
        (["arms.small={n: 3}"], r"arms\.small: n: 3, but this arm takes every example"),
        (["arms.small={temperature: 1}"], r"arms\.small: temperature: 1\.0, but this arm does not depend on P_t"),
        (
            ["arms.small={matcher: uniform_subsample, max_repeats: 2}"],
            r"arms\.small: max_repeats: is no setting of the matcher uniform_subsample",
        ),
        (["arms.small={matcher: same_distribution, steps: 0}"], r"arms\.small: steps: 0, so that nothing is trained"),
        (["arms.small={steps: 2.5}"], r"arms\.small\.steps: 2\.5: must be an integer .* 2x, or total"),
        (["arms.small={steps: 0x}"], r"arms\.small\.steps: '0x': must be .* a positive multiple such as 2x"),
        (
            ["arms.small={matcher: same_distribution, estimator: em, temperature: 2.0}"],
            r"arms\.small, .*: temperature: 2\.0, but the estimator 'em' assumes calibrated",
        ),
        (
            ["classifier.loss=sigmoid", "arms.small={matcher: same_distribution, estimator: em}"],
            r"arms\.small, .*: estimator: 'em' assumes one label an image",
        ),
        (["arms.warm_start={steps: 3}"], r"arms: 'warm_start' is a preset, which cannot be defined again"),
        (["arms.Small={steps: 3}"], r"arms: 'Small' is not a valid name of an arm"),
        (["compare.arms=[entire]"], r"compare\.arms: 'entire': must be one of entire_source, .*did you mean"),
        (["compare.reference=entire"], r"compare\.reference: 'entire': must be one of entire_source"),
        (["compare.targets=[digit]"], r"compare\.targets: 'digit' is not one of digits"),
        (["compare.arms=[]"], r"compare: arms: \[\] names none; name one, or leave it out"),
        (["compare.targets=[]"], r"compare: targets: \[\] names none"),
        (["compare.shots=[1, 1]"], r"compare: shots: \[1, 1\] names one twice"),
        (["targets.digits.evaluation.minimum=95"], r"evaluation\.minimum: 95: input should be less than or equal to 1"),
        (
            ["targets.Digits=null"],
            r"--set: 'targets\.Digits=null': no target is named 'Digits' \(did you mean 'digits'\?\)",
        ),
        (["targets.digits=null"], r"targets.*at least 1"),
        (["source.splits={train: train}"], r"source\.splits.*lacks eval"),
        (["name=My Run"], r"name: 'My Run': string should match"),
        (["compute.distribution=tpus"], r"compute\.distribution: 'tpus': input should be 'auto'"),
        (["on_anomalies=ignore"], r"on_anomalies: 'ignore': input should be 'stop' or 'warn'"),
        (["source.min_confidence=0"], r"source\.min_confidence: 0: input should be greater than 0"),
        (["source.hierarchy={path: x}"], r"source\.hierarchy: unknown key 'path'; allowed are file, titles, encoding"),
        (["seed"], r"--set: 'seed' is not of the form key\.path=value"),
        (["seed.deep=1"], r"--set: 'seed\.deep=1': 'seed' holds a value, not keys"),
        (["seed=[1"], r"--set: 'seed=\[1'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_mistakes_name_the_key_the_value_and_what_is_allowed(overrides, message):
    with pytest.raises(ValueError, match=message):
        load(str(DEMO), overrides)


def test_a_hierarchy_is_a_file_or_a_file_with_titles():
    assert load(str(DEMO)).source.hierarchy is None
    path = load(str(DEMO), ["source.hierarchy=h.csv"])
    assert (path.source.hierarchy.file, path.source.hierarchy.titles) == ("h.csv", None)
    both = load(str(DEMO), ["source.hierarchy={file: h.json, titles: t.csv}", "source.min_confidence=7"])
    assert (both.source.hierarchy.file, both.source.hierarchy.titles) == ("h.json", "t.csv")
    assert both.source.min_confidence == 7


def test_anomalies_stop_a_run_unless_said_otherwise():
    assert load(str(DEMO)).on_anomalies == "stop"
    assert load(str(DEMO), ["on_anomalies=warn"]).on_anomalies == "warn"


def test_a_missing_key(write):
    with pytest.raises(ValueError, match=r"resample: missing; it can be left out with source.counts only"):
        load(write(resample=None))


def test_a_name_that_no_target_may_have(write):
    digits = yaml.safe_load(DEMO.read_text(encoding="utf-8"))["targets"]["digits"]
    with pytest.raises(ValueError, match=r"targets: .*'Digits' is not a valid name of a target: use a-z, 0-9 and -"):
        load(write(targets={"Digits": digits}))


def test_no_target(write):
    with pytest.raises(ValueError, match=r"targets.*at least 1"):
        load(write(targets={}))


def test_all_mistakes_are_told_at_once(write):
    with pytest.raises(ValueError, match=r"(?s)seed.*resample\.n"):
        load(write(seed="x", resample={"n": 0}))


def test_a_missing_file():
    with pytest.raises(FileNotFoundError, match=r"CONFIG: no file 'nowhere\.yaml'"):
        load("nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", r"is not YAML"),
        ("- 1\n- 2\n", r"holds a list, not keys and values"),
        ("", r"holds a NoneType"),
        ("seed: 1\nseed: 2\n", r"the key 'seed' occurs twice"),
    ],
    ids=["broken", "list", "empty", "key-twice"],
)
def test_files_that_hold_no_configuration(tmp_path, text, message):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load(str(path))


def test_reading_all_and_making_their_readers_imports_nothing_heavy():
    code = f"""
import pathlib, sys
from pipeline.config.load import load
for path in pathlib.Path({str(DEMO.parent)!r}).glob("*.yaml"):
    for data in load(str(path)).datasets().values():
        data.reader()
heavy = ("tensorflow", "tensorflow_datasets", "keras", "tfx", "apache_beam")
print([name for name in heavy if name in sys.modules])
print(sorted(name.rpartition(".")[2] for name in sys.modules if name.startswith("components.example_gen.readers.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    heavy, imported = map(ast.literal_eval, done.stdout.splitlines())
    assert heavy == []
    assert {"tfds", "folder", "manifest", "tfrecords", "uris"} < set(imported)


def test_a_merge_of_a_merge_that_overrides(tmp_path):
    text = DEMO.read_text(encoding="utf-8")
    for before, after in (
        ("classifier: {preset: small_classifier}", "classifier: &a {preset: small_classifier, steps: 5}"),
        ("pretrain: {preset: small_pretrain}", "pretrain: &b {<<: *a, steps: 6}"),
        ("finetune: {preset: small_finetune}", "finetune: {<<: *b, batch_size: 7}"),
    ):
        text = text.replace(before, after)
    path = tmp_path / "merges.yaml"
    path.write_text(text, encoding="utf-8")
    config = load(str(path))
    assert [config.classifier.steps, config.pretrain.steps, config.finetune.steps] == [5, 6, 6]
    assert (config.finetune.batch_size, config.finetune.preset) == (7, "small_classifier")
    path.write_text(text.replace("{<<: *b, batch_size: 7}", "{<<: *b, <<: *a}"), encoding="utf-8")
    with pytest.raises(ValueError, match="the key '<<' occurs twice"):
        load(str(path))


def test_an_alias_in_an_override_gives_each_key_its_own(tmp_path):
    data = "{dataset: handwritten_digits, splits: {train: 'train[:9%]', eval: 'train[9%:]'}}"
    target = f"{{data: {data}, arms: [entire_source]}}"
    config = load(str(DEMO), [f"targets={{a: &a {target}, b: *a}}", "targets.a.data.max_rejected=0.5"])
    assert (config.targets["a"].data.max_rejected, config.targets["b"].data.max_rejected) == (0.5, 0.01)


def test_an_alias_inside_of_what_it_stands_for(tmp_path):
    path = tmp_path / "circle.yaml"
    path.write_text("name: x\nsource: &source {folder: *source}\n")
    with pytest.raises(ValueError, match=r"^CONFIG: .*circle.yaml has an alias inside of what it stands for; write"):
        load(str(path))


def test_an_override_changes_its_own_key_alone(tmp_path):
    text = DEMO.read_text(encoding="utf-8")
    for before, after in (
        ("classifier: {preset: small_classifier}", "classifier: &recipe {preset: small_classifier}"),
        ("pretrain: {preset: small_pretrain}", "pretrain: {<<: *recipe, steps: 300}"),
        ("finetune: {preset: small_finetune}", "finetune: *recipe"),
    ):
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / "anchors.yaml"
    path.write_text(text, encoding="utf-8")
    config = load(str(path), ["finetune.steps=7"])
    assert (config.classifier.steps, config.pretrain.steps, config.finetune.steps) == (1500, 300, 7)


def test_paths_are_expanded(write, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("DATA", "/data")
    source = {"folder": "~/images", "splits": {"train": 0.9, "eval": 0.1}, "hierarchy": "${DATA}/tree.csv"}
    found = load(write(source=source)).source
    assert (found.location, found.hierarchy.file) == ("/home/ada/images", "/data/tree.csv")
    with pytest.raises(ValueError, match=r"source\.folder: .*has \$NOWHERE, but this variable is not set"):
        load(write(source={**source, "folder": "$NOWHERE/images"}))


def test_an_arm_of_its_own():
    loaded = load(
        str(DEMO),
        [
            "arms.small={matcher: same_distribution, n: 30, max_repeats: 4, temperature: fitted, steps: 1.5x}",
            "targets.digits.arms=[small, uniform_subsample]",
            "targets.digits.push=small",
            "resample.max_repeats=9",
        ],
    )
    assert loaded.matcher("digits", "small").model_dump() == {"max_repeats": 4}
    assert loaded.matcher("digits", "same_distribution").model_dump() == {"max_repeats": 9}
    assert (loaded.sample_size("small"), loaded.sample_size("uniform_subsample")) == (30, 10_000)
    assert (loaded.prior_of("small").temperature, loaded.prior_of("same_distribution").temperature) == ("fitted", None)
    assert loaded.pretrain_of("small").steps == 450


@pytest.mark.parametrize(
    ("arm", "steps"),
    [
        ("entire_source", 300),
        ("entire_source_2x", 600),
        ("entire_source_4x", 1200),
        ("entire_source_total", 300 + 1500 * 128 // 64),
        ("warm_start", 300),
        ("random_init", None),
        ("source_classifier", None),
    ],
)
def test_steps_of_the_presets(arm, steps):
    recipe = load(str(DEMO), ["pretrain.batch_size=64"]).pretrain_of(arm)
    assert (recipe and recipe.steps) == steps


@pytest.mark.parametrize(
    ("subset", "missing"), [(None, "targets.digits.label_subset"), (["Latn"], None)], ids=["without", "with"]
)
def test_what_an_arm_lacks(write, subset, missing):
    content = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    content["targets"]["digits"]["label_subset"] = subset
    loaded = load(write(targets=content["targets"]))
    assert loaded.find_missing("digits", "label_subset") == missing
    assert loaded.find_missing("digits", "same_distribution") is None


WITH_WEIGHTS = "backbone.weights={path: small.keras, source: https://example.org, licence: MIT}"


def test_published_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.keras").write_bytes(b"weights")
    loaded = load(str(DEMO), [WITH_WEIGHTS])
    assert loaded.backbone.network == load(str(DEMO), ["backbone.weights=none"]).backbone.network
    assert loaded.find_missing("digits", "published_finetune") is None
    pinned = loaded.pin_weights()
    digest = hashlib.sha256(b"weights").hexdigest()
    assert pinned.model_dump()["backbone"]["weights"] == {
        "path": "small.keras",
        "source": "https://example.org",
        "licence": "MIT",
        "sha256": digest,
    }
    assert pinned.pin_weights() == pinned
    (tmp_path / "small.keras").write_bytes(b"others")
    with pytest.raises(
        ValueError, match=rf"backbone\.weights: sha256: {digest}, but 'small\.keras' has [0-9a-f]{{64}};"
    ):
        pinned.pin_weights()


def test_weights_that_are_not_there():
    with pytest.raises(ValueError, match=r"backbone\.weights: 'nowhere\.h5' is not there"):
        load(str(DEMO), ["backbone.weights=nowhere.h5"]).pin_weights()


@pytest.mark.parametrize("weights", [True, False], ids=["published", "classifier"])
def test_a_probe_is_of_the_network_that_exists(weights):
    loaded = load(str(DEMO), [WITH_WEIGHTS] if weights else [])
    for name in ("knn", "linear_probe"):
        assert loaded.arm(name).start == ("published" if weights else "classifier")
        assert loaded.arm(name).needs_classifier() is not weights
        assert loaded.pretrain_of(name) is None
    assert loaded.arm("random_init").start == "random"


def test_arms_of_different_targets_never_share_nodes():
    data = "{dataset: handwritten_digits, splits: {train: 'train[:9%]', eval: 'train[9%:]'}}"
    overrides = [f"targets.digits-few={{data: {data}, arms: [same]}}", "arms.same={n: null}"]
    assert load(str(DEMO), overrides).targets.keys() == {"digits", "digits-few"}
    with pytest.raises(ValueError, match=r"arms: 'same' of digits-few would have the same nodes as 'few_same' of digi"):
        load(str(DEMO), [*overrides, "arms.few_same={steps: 3}"])
