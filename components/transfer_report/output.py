"""Writes the files of a report, and the cards of models that are served."""

import os

from components import storage
from components.transfer_report import block as blocks
from components.transfer_report import card, page


def write(folder: str, block: blocks.Block) -> str:
    """Writes page, card and data block to `folder`; returns the path of the page."""
    path = os.path.join(folder, page.FILE_NAME)
    storage.write_text(os.path.join(folder, blocks.FILE_NAME), blocks.to_json(block))
    storage.write_text(os.path.join(folder, card.FILE_NAME), card.render_card(block))
    storage.write_text(path, page.render(block))
    return path


def write_cards(block: blocks.Block) -> list[str]:
    """Writes the card of each target whose model is served beside that model; returns the paths."""
    paths = []
    for name, target in block.targets.items():
        if target.verdict.served:
            path = card.find_path(target.verdict.served)
            storage.write_text(path, card.render_card(block, name))
            paths.append(path)
    return paths
