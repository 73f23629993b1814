import pytest

import components
from components import storage
from components.artifacts import label_counts, vocabulary
from components.artifacts.types import LabelCounts, LabelVocabulary
from components.label_counts import executor

TEXT = "label,count\nwren,7\ncrow,0\n"


def test_it_writes_counts_and_vocabulary(tmp_path):
    outputs = {"counts": [LabelCounts()], "vocabulary": [LabelVocabulary()]}
    for name, [artifact] in outputs.items():
        artifact.uri = str(tmp_path / name)
    executor.Executor().Do({}, outputs, components.CountsImporter(text=TEXT).exec_properties)
    found = label_counts.loads(storage.read_text(str(tmp_path / "counts" / "counts.csv")))
    assert list(found.items()) == [("wren", 7), ("crow", 0)]
    labels = vocabulary.loads(storage.read_text(str(tmp_path / "vocabulary" / "labels.csv")))
    assert labels.names == ("wren", "crow")


def test_the_cache_key_has_the_counts_and_not_how_they_are_written():
    properties = components.CountsImporter(text=TEXT).exec_properties
    assert components.CountsImporter(text="count,label\r\n7,wren\r\n\r\n0,crow").exec_properties == properties
    assert components.CountsImporter(text=TEXT.replace("7", "8")).exec_properties["text"] != properties["text"]
    assert properties["code_version"]


def test_wrong_counts_are_refused_when_it_is_made():
    with pytest.raises(ValueError, match=r"^text: line 3: the count of 'crow' is 'many'"):
        components.CountsImporter(text=TEXT.replace("0", "many"))
