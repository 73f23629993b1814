"""The TFMD schemas that the source's and the targets' data are validated against."""

import pathlib


def folder(side: str) -> pathlib.Path:
    """Returns the folder of the `schema.pbtxt` of `source` or `target`."""
    path = pathlib.Path(__file__).parent / side
    if not (path / "schema.pbtxt").is_file():
        raise ValueError(f"side: {side!r} has no schema; choose 'source' or 'target'")
    return path
