"""What the paper reports: Ngiam et al. 2018, "Domain Adaptive Transfer Learning with Specialist Models".

The files are copied from the tables of arXiv 1811.07056, and read from its figure 3. They are facts to set beside
figures of one's own, which come from other data and budgets; nothing is tuned to them. Accuracies are in percent, as
printed.
"""

import csv
import dataclasses
import pathlib

_FOLDER = pathlib.Path(__file__).parent / "published"


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """A cell of tables 3 to 6: the mean of 5 fine-tunings of one pre-trained network each; no spread is printed.

    Attributes:
      table: its number in the paper. Those of table 4 had images of 331 × 331. Those of table 6 are of one sample of 80
        million images each, over the 4,000 labels with the most weight.
      backbone: such as 'inception_v3'.
      pretraining: what the backbone was pre-trained on, such as 'entire_jft'.
      target: the name of the target.
      accuracy: top-1, in percent; of 'pets' and 'flowers102' the mean per class.
    """

    table: int
    backbone: str
    pretraining: str
    target: str
    accuracy: float


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A row of tables 1 and 2.

    Attributes:
      role: 'source', 'subset' (of the source) or 'target'.
      name: of the data set.
      train: its number of images to train on.
      test: of images to test on; None if it is not a target.
      classes: their number.
    """

    role: str
    name: str
    train: int
    test: int | None
    classes: int


@dataclasses.dataclass(frozen=True)
class SampleSize:
    """A point of figure 3, of Inception-v3 pre-trained on samples of JFT; read from the picture, to about ± 0.1.

    Attributes:
      matcher: 'same_distribution' or 'elastic_distribution'.
      target: the name of the target.
      n: the number of images of the sample.
      accuracy: as in `Accuracy`.
    """

    matcher: str
    target: str
    n: int
    accuracy: float


def read_accuracies() -> list[Accuracy]:
    """Returns tables 3 to 6, in the order of the paper."""
    return [
        Accuracy(int(row["table"]), row["backbone"], row["pretraining"], row["target"], float(row["accuracy"]))
        for row in _read("accuracy.csv")
    ]


def read_datasets() -> list[Dataset]:
    """Returns tables 1 and 2. Pets has fewer test images there than in TFDS: 3,369 for 3,669."""
    return [
        Dataset(
            row["role"],
            row["name"],
            int(row["train"]),
            int(row["test"]) if row["test"] else None,
            int(row["classes"]),
        )
        for row in _read("datasets.csv")
    ]


def read_sample_sizes() -> list[SampleSize]:
    """Returns figure 3."""
    return [
        SampleSize(row["matcher"], row["target"], int(row["n"]), float(row["accuracy"])) for row in _read("figure3.csv")
    ]


def _read(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
