"""The training curves from `history.csv`. Pure."""

import csv
import io

from components.transfer_report import block

_MOST = 400  # reports of a training that are shown


CLASSIFIER = "source classifier"


def name_pretraining(arm: str) -> str:
    """Returns what a reader calls an arm's pre-training."""
    return f"{arm}: pre-training"


def name_finetuning(arm: str, *details: str) -> str:
    """Returns what a reader calls an arm's fine-tuning; `details` tell several of them apart."""
    return ", ".join([f"{arm}: fine-tuning", *details])


def parse_history(text: str, title: str = "") -> block.Curve:
    """Returns the curve in the text of a `history.csv`; `title` says what is trained."""
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    step = -(-len(rows) // _MOST) or 1
    # With the last one, and the evaluated ones, of which there are few.
    rows = [row for i, row in enumerate(rows) if i % step == 0 or i == len(rows) - 1 or row.get("eval_loss")]

    def column(name: str) -> list[float | None]:
        return [float(row[name]) if row.get(name) else None for row in rows]

    def optional(name: str) -> list[float | None]:
        values = column(name)
        return values if any(value is not None for value in values) else []

    return block.Curve(
        [int(row["step"]) for row in rows],
        column("loss"),
        optional("accuracy"),
        optional("eval_loss"),
        optional("eval_accuracy"),
        title,
    )
