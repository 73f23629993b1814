import pytest

from pipeline.pipeline import complete_beam_args

LOCAL = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"


@pytest.mark.parametrize(
    ("configured", "first", "count"),
    [
        ([], LOCAL, 4),
        (["--direct_num_workers=2"], LOCAL, 2),
        (["--direct_num_workers=2", "--runner=Flink"], "--direct_num_workers=2", 2),
        (["--runner", "Flink"], "--runner", 2),
    ],
    ids=["nothing", "no runner", "a runner", "a runner in two words"],
)
def test_the_runner_is_never_left_to_beam(configured, first, count):
    completed = complete_beam_args(configured)
    assert completed[0] == first and len(completed) == count
