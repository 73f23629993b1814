import dataclasses
import json

import report_blocks

from components.transfer_report import block, payload


def test_columns_are_those_of_the_block():
    made = report_blocks.make_block()
    labels = made.targets["handwritten_digits"].labels
    found = payload.make_payload(made)
    vocabulary = found["vocabularies"][found["targets"][0]["vocabulary"]]
    assert vocabulary["names"] == list(labels.names)
    columns = found["targets"][0]["columns"]
    assert columns["count"] == list(labels.counts) and columns["repeats"] == list(labels.repeats)
    shares = {"source": labels.source_share, "target": labels.target_share, "weight": labels.weights}
    for name, expected in shares.items():
        assert all(abs(a - b) <= 1e-5 * b for a, b in zip(columns[name], expected, strict=True))
    paths = [tuple(vocabulary["paths"][number][0]) for number in vocabulary["path"]]
    assert paths == list(labels.paths)


def test_targets_share_vocabulary_and_pictures():
    one = report_blocks.make_target("one")
    made = report_blocks.make_block(one, dataclasses.replace(one, name="two"))
    found = payload.make_payload(made)
    assert [target["vocabulary"] for target in found["targets"]] == [0, 0] and len(found["vocabularies"]) == 1
    alone = payload.make_payload(report_blocks.make_block(one))
    assert found["pictures"] == alone["pictures"]
    index, shown = next(iter(one.thumbnails.items()))
    numbers = [number for number, _ in found["targets"][1]["pictures"][str(index)]]
    assert [found["pictures"][number] for number in numbers] == [picture.uri for picture in shown]


def test_without_labels_there_are_no_columns():
    found = payload.make_payload(report_blocks.fail_arm())
    target = {"name": "handwritten_digits", "reports": []}
    assert found == {"targets": [target], "vocabularies": [], "pictures": [], "curves": {}}


def test_what_tells_labels_apart_is_there_once_and_only_where_it_is_needed():
    labels = block.Labels(
        names=["З", "3", "seal"],
        paths=[("cyrillic",), ("digits",), ("animal",)],
        counts=[1, 1, 1],
        source_share=[1 / 3] * 3,
        target_share=[0.5, 0.25, 0.25],
        weights=[1.5, 0.75, 0.75],
        flagged=[True, False, True],
    )
    made = report_blocks.make_block(dataclasses.replace(report_blocks.make_target(), labels=labels, thumbnails={}))
    found = payload.make_payload(made)
    assert found["vocabularies"][0]["codes"] == {"0": ["U+0417", "CYRILLIC CAPITAL LETTER ZE"]}
    assert found["targets"][0]["flagged"] == [0, 2]


def test_json_cannot_end_its_script():
    text = payload.to_script_json({"a": "</script><!--\u2028&", "b": None})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!--\u2028&", "b": None}


def test_a_label_without_a_name_can_be_chosen():
    made = payload.make_payload(
        report_blocks.make_block(report_blocks.make_target(labels=report_blocks.make_labels(["", "cat", "dog"])))
    )
    assert made["vocabularies"][0]["names"] == ["(blank)", "cat", "dog"]
