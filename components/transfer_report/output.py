"""Writes the files of a report, and the cards of models that are served."""

import os

from components import storage
from components.transfer_report import block as blocks

PAGE, CARD = "report.html", "model_card.md"
# In a SavedModel the place for what servers do not read.
_BESIDE_MODEL = "assets.extra"


def write(folder: str, block: blocks.Block) -> str:
    """Writes page, card and data block to `folder`; returns the path of the page."""
    from components.transfer_report import card, page

    path = os.path.join(folder, PAGE)
    storage.write_text(os.path.join(folder, blocks.FILE_NAME), blocks.to_json(block))
    storage.write_text(os.path.join(folder, CARD), card.render_card(block))
    storage.write_text(path, page.render(block))
    return path


def write_cards(block: blocks.Block) -> list[str]:
    """Writes the card of each target whose model is served beside that model; returns the paths."""
    from components.transfer_report import card

    paths = []
    for name, target in block.targets.items():
        if target.verdict.served:
            path = os.path.join(target.verdict.served, _BESIDE_MODEL, CARD)
            storage.write_text(path, card.render_card(block, name))
            paths.append(path)
    return paths
