import json

import pytest
from tfx.dsl.components.common import importer
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

import components
from components import storage
from components.artifacts import label_counts, vocabulary
from components.artifacts.types import LabelCounts, LabelVocabulary, Predictions
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


def test_it_compiles_for_kubeflow_with_what_reads_it(tmp_path):
    counts = components.CountsImporter(text=TEXT)
    predictions = importer.Importer(source_uri="/predictions", artifact_type=Predictions).with_id("predictions")
    prior = components.PriorEstimator(
        predictions=predictions.outputs["result"],
        counts=counts.outputs["counts"],
        vocabulary=counts.outputs["vocabulary"],
    )
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="image")
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(config, str(tmp_path), "job.json")
    runner.run(tfx_pipeline.Pipeline("test", "/root", components=[counts, predictions, prior]))
    tasks = json.loads((tmp_path / "job.json").read_text())["pipelineSpec"]["root"]["dag"]["tasks"]
    taken = {key: value["taskOutputArtifact"] for key, value in tasks["PriorEstimator"]["inputs"]["artifacts"].items()}
    assert taken["counts"] == {"producerTask": "CountsImporter", "outputArtifactKey": "counts"}
    assert taken.keys() == {"predictions", "counts", "vocabulary"}
