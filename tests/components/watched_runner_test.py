import contextlib
import socket
import threading
import time

import pytest
from apache_beam import Pipeline
from apache_beam.options.pipeline_options import PipelineOptions

from components import watched_runner


class Result:
    """A job that ends when `end` is set, with an error if there is one."""

    state = "RUNNING"

    def __init__(self, error: Exception | None = None, *, ended: bool = True):
        self.end, self.error, self.cancelled = threading.Event(), error, False
        if ended:
            self.end.set()

    def wait_until_finish(self, duration=None):
        self.end.wait(20)
        if self.error:
            raise self.error
        return "DONE"

    def cancel(self):
        self.cancelled = True


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watched_runner, "_POLLING_SECONDS", 0.01)


@contextlib.contextmanager
def listening():
    """Yields an address that answers, and a function that closes it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"127.0.0.1:{server.getsockname()[1]}", server.close


def test_a_job_that_ends():
    with listening() as (pool, _):
        assert watched_runner.WatchedResult(Result(), pool, pool, 5.0, 5.0).wait_until_finish() == "DONE"
        with pytest.raises(KeyError, match="its own"):
            watched_runner.WatchedResult(Result(KeyError("its own")), pool, pool, 5.0, None).wait_until_finish()


def test_a_pool_that_goes_while_the_job_waits_for_it():
    result = Result(ended=False)
    with listening() as (service, _), listening() as (pool, close):
        watched = watched_runner.WatchedResult(result, service, pool, 0.3, None)
        threading.Timer(0.2, close).start()
        start = time.monotonic()
        with pytest.raises(RuntimeError, match=f"^beam: no worker pool has answered at {pool} for 0.3 s"):
            watched.wait_until_finish()
    assert 0.4 < time.monotonic() - start < 10
    assert result.cancelled


def test_a_job_that_fails_since_its_pool_is_gone():
    with listening() as (service, _), listening() as (pool, close):
        close()
        watched = watched_runner.WatchedResult(Result(RuntimeError("stream removed")), service, pool, 5.0, None)
        with pytest.raises(RuntimeError, match=f"^beam: no worker pool answers at {pool}"):
            watched.wait_until_finish()


def test_a_job_that_takes_too_long():
    result = Result(ended=False)
    with (
        listening() as (service, _),
        pytest.raises(RuntimeError, match=r"^beam: the job has not ended within its limit of 0.2 s"),
    ):
        watched_runner.WatchedResult(result, service, None, 0.0, 0.2).wait_until_finish()
    assert result.cancelled


@pytest.mark.parametrize("ended", [False, True], ids=["while it waits", "with an error"])
def test_a_job_service_that_goes(ended):
    result = Result(RuntimeError("UNAVAILABLE"), ended=ended)
    with listening() as (pool, _), listening() as (service, close):
        close()
        with pytest.raises(RuntimeError, match=f"^beam: no job service answers at {service}"):
            watched_runner.WatchedResult(result, service, pool, 5.0, None).wait_until_finish()


def test_a_signal_cancels_the_job(monkeypatch):
    result = Result(ended=False)

    def stop(address):
        raise SystemExit(143)

    monkeypatch.setattr(watched_runner, "answers", stop)
    with pytest.raises(SystemExit):
        watched_runner.WatchedResult(result, "host:1", None, 0.0, None).wait_until_finish()
    assert result.cancelled


@pytest.mark.parametrize(
    ("gone", "message"),
    [(0, "no job service answers at"), (1, "no worker pool has answered at")],
    ids=["job service", "worker pool"],
)
def test_nothing_is_sent_to_what_is_not_there(gone, message):
    with listening() as (there, _), listening() as (other, close):
        close()
        places = [other, there] if gone == 0 else [there, other]
        told = [f"--job_endpoint={places[0]}", "--environment_type=EXTERNAL", f"--environment_config={places[1]}"]
        options = PipelineOptions([*told, "--worker_pool_timeout=0.1"])
        with pytest.raises(RuntimeError, match=f"^beam: {message} {other}"):
            watched_runner.WatchedRunner().run_pipeline(Pipeline(), options)
