"""Helpers to call a component's executor without a pipeline."""

BEAM = [
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_running_mode=in_memory",
    "--direct_num_workers=1",
    "--sdk_container_image=unused",  # otherwise TFX packages itself for remote workers
]


def context(folder: str):
    """Returns the context of a Beam executor that runs in memory with one worker; temporary files go to `folder`."""
    from tfx.dsl.components.base import base_beam_executor

    return base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=BEAM, tmp_dir=f"{folder}/tmp", unique_id="1")


def artifact(artifact_type: type, uri: str, *splits: str) -> list:
    """Returns an artifact of a type at `uri`, with `splits` if given, in a list as an executor gets it."""
    made = artifact_type()
    made.uri = uri
    if splits:
        made.splits = list(splits)
    return [made]
