"""The data block: all that the report shows, as frozen dataclasses with a JSON form. Pure.

Shares, accuracies and differences are between 0 and 1 (0.01 is one point), as in the CSVs. What is not known is None.
Columns may be given as numpy arrays: they become tuples, and NaN and infinite values None.
"""

from components.transfer_report.block.data import Pair, Picture, SetAside, Source
from components.transfer_report.block.labels import Achieved, ClassShare, Doubt, Explained, Labels, LabelShare
from components.transfer_report.block.report import FILE_NAME, Block, Missing, Node, Target, Weights, from_json, to_json
from components.transfer_report.block.results import (
    Arm,
    ConfusedPair,
    Confusion,
    Criterion,
    Curve,
    Difference,
    Figure,
    Step,
    Table,
    Verdict,
)

__all__ = [
    "FILE_NAME",
    "Achieved",
    "Arm",
    "Block",
    "ClassShare",
    "ConfusedPair",
    "Confusion",
    "Criterion",
    "Curve",
    "Difference",
    "Doubt",
    "Explained",
    "Figure",
    "LabelShare",
    "Labels",
    "Missing",
    "Node",
    "Pair",
    "Picture",
    "SetAside",
    "Source",
    "Step",
    "Table",
    "Target",
    "Verdict",
    "Weights",
    "from_json",
    "to_json",
]
