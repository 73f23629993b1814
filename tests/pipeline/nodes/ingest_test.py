import pydantic
import pytest

from components.example_gen.readers.folder import FolderReader
from pipeline.config.data import Data
from pipeline.config.run import Target
from pipeline.nodes import ingest

SHARES = {"train": 0.8, "eval": 0.2}


def data(**settings) -> Data:
    return pydantic.TypeAdapter(Data).validate_python({"splits": SHARES, **settings})


@pytest.fixture
def animals(tmp_path):
    """A folder with the labels bird/owl and fish; what its files hold is not looked at."""
    for path in ("animals/bird/owl/1.jpg", "animals/fish/2.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return data(folder=str(tmp_path / "animals"))


def target(animals: Data, names: list[str]) -> Target:
    return Target(data=animals, arms=["label_subset"] if names else ["entire_source"], label_subset=names)


def test_names_of_labels_and_of_nodes_above_them_are_taken(animals):
    ingest.check_subsets({"pets": target(animals, ["bird", "fish"])}, animals)


def test_a_name_that_the_source_does_not_have_is_refused_for_every_kind_of_data(animals, tmp_path):
    (tmp_path / "list.txt").write_text("fish/2.jpg\nbird/1.jpg\n")
    (tmp_path / "names.txt").write_text("bird\nfish\n")
    others = [
        data(uris=str(tmp_path / "list.txt")),
        data(tfrecords=str(tmp_path / "*.rec"), names=str(tmp_path / "names.txt")),
    ]
    for source in (animals, *others):
        message = r"^targets\.pets\.label_subset: no label and no node above one is named 'birdie'"
        with pytest.raises(ValueError, match=message):
            ingest.check_subsets({"pets": target(animals, ["birdie"])}, source)


def test_without_a_subset_no_label_is_looked_up(animals):
    nowhere = data(folder="/nowhere")
    ingest.check_subsets({"pets": target(animals, [])}, nowhere)


def test_the_labels_are_read_once_for_all_targets(animals, monkeypatch):
    times = []
    read = FolderReader.read_vocabulary
    monkeypatch.setattr(FolderReader, "read_vocabulary", lambda reader: times.append(1) or read(reader))
    targets = {"a": target(animals, ["bird"]), "b": target(animals, []), "c": target(animals, ["fish"])}
    ingest.check_subsets(targets, animals)
    assert len(times) == 1
    with pytest.raises(ValueError, match=r"^targets\.c\.label_subset: .* named 'cod'"):
        ingest.check_subsets({**targets, "c": target(animals, ["cod"])}, animals)
