"""Helpers to call a component's executor without a pipeline."""

from collections.abc import Sequence

from pipeline.config.beam import InMemory


def context(folder: str, arguments: Sequence[str] = ()):
    """Returns the context of a Beam executor; temporary files go to `folder`.

    Args:
      folder: where they go.
      arguments: of Beam; by default it runs in memory with one worker.
    """
    from tfx.dsl.components.base import base_beam_executor

    return base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=[*(arguments or InMemory().arguments())], tmp_dir=f"{folder}/tmp", unique_id="1"
    )


def artifact(artifact_type: type, uri: str, *splits: str) -> list:
    """Returns an artifact of a type at `uri`, with `splits` if given, in a list as an executor gets it."""
    made = artifact_type()
    made.uri = uri
    if splits:
        made.splits = list(splits)
    return [made]
