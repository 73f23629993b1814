import pytest

from components.example_gen import readers
from pipeline.config.run import Config
from pipeline.nodes import ingest

SHARES = {"train": 0.8, "eval": 0.2}


@pytest.fixture
def animals(tmp_path):
    """A folder with the labels bird/owl and fish; what its files hold is not looked at."""
    for path in ("animals/bird/owl/1.jpg", "animals/fish/2.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return {"folder": str(tmp_path / "animals"), "splits": SHARES}


def config(source: dict, **subsets: list[str] | None) -> Config:
    """A configuration whose targets have the arm label_subset with these names, or entire_source for None."""
    targets = {
        name: {
            "data": {"folder": "/pets", "splits": SHARES},
            **({"arms": ["label_subset"], "label_subset": names} if names else {"arms": ["entire_source"]}),
        }
        for name, names in subsets.items()
    }
    return Config.model_validate(
        {
            "name": "animals",
            "image": {"size": 32},
            "backbone": {"name": "compact_cnn"},
            "source": source,
            "targets": targets,
            "classifier": {"preset": "small_classifier"},
            "pretrain": {"preset": "small_pretrain"},
            "finetune": {"preset": "small_finetune"},
            "resample": {"n": 10},
        }
    )


def test_names_of_labels_and_of_nodes_above_them_are_taken(animals):
    ingest.check_labels(config(animals, pets=["bird", "fish"]))


def test_a_name_that_the_source_does_not_have_is_refused_for_every_kind_of_data(animals, tmp_path):
    (tmp_path / "list.txt").write_text("fish/2.jpg\nbird/1.jpg\n")
    (tmp_path / "names.txt").write_text("bird\nfish\n")
    others = [
        {"uris": str(tmp_path / "list.txt"), "splits": SHARES},
        {"tfrecords": str(tmp_path / "*.rec"), "names": str(tmp_path / "names.txt"), "splits": SHARES},
    ]
    for source in (animals, *others):
        message = r"^targets\.pets\.label_subset: no label and no node above one is named 'birdie'"
        with pytest.raises(ValueError, match=message):
            ingest.check_labels(config(source, pets=["birdie"]))


def test_without_a_subset_no_label_is_looked_up():
    ingest.check_labels(config({"folder": "/nowhere", "splits": SHARES}, pets=None))


def test_the_labels_are_read_once_for_all_targets(animals, monkeypatch):
    times = []
    folder_reader = type(readers.make_reader(animals))
    read = folder_reader.read_vocabulary
    monkeypatch.setattr(folder_reader, "read_vocabulary", lambda reader: times.append(1) or read(reader))
    ingest.check_labels(config(animals, a=["bird"], b=None, c=["fish"]))
    assert len(times) == 1
    with pytest.raises(ValueError, match=r"^targets\.c\.label_subset: .* named 'cod'"):
        ingest.check_labels(config(animals, a=["bird"], b=None, c=["cod"]))
