"""A portable Beam runner whose jobs end when nobody works on them any more.

Beam's own waits for ever: for a job service that is not there, for a pool of workers that is not there, and for the
results of workers that have died.
"""

import contextlib
import socket
import threading
import time
from typing import Any

from apache_beam import Pipeline
from apache_beam.options import pipeline_options
from apache_beam.runners import runner
from apache_beam.runners.portability import portable_runner

_NOT_IN_CACHE_KEYS = "when a job is given up"

_POLLING_SECONDS = 1.0
_CONNECTION_SECONDS = 5.0


class WatchOptions(pipeline_options.PipelineOptions):
    """How long to wait for workers."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        parser.add_argument("--worker_pool_timeout", type=float, help="Seconds in which the worker pool has to answer.")
        parser.add_argument("--job_time_limit", type=float, help="Seconds in which a job has to end.")


class WatchedRunner(portable_runner.PortableRunner):
    """Beam's PortableRunner, for a job service that is there; raises a RuntimeError that names what does not answer."""

    def run_pipeline(self, pipeline: Pipeline, options: pipeline_options.PipelineOptions) -> "WatchedResult":
        portable = options.view_as(pipeline_options.PortableOptions)
        watch = options.view_as(WatchOptions)
        if not answers(portable.job_endpoint):
            raise RuntimeError(_no_service(portable.job_endpoint))
        pool = portable.environment_config if watch.worker_pool_timeout is not None else None
        if pool:
            _wait_for(pool, watch.worker_pool_timeout)
        result = super().run_pipeline(pipeline, options)
        return WatchedResult(
            result, portable.job_endpoint, pool, watch.worker_pool_timeout or 0.0, watch.job_time_limit
        )


class WatchedResult(runner.PipelineResult):
    """The result of a job, which is given up if its workers are gone.

    Args:
      result: of the job.
      endpoint: address of its job service.
      pool: address of its worker pool; None: it is not watched.
      pool_timeout: seconds in which the pool has to answer, if there is one.
      time_limit: seconds from now in which the job has to end; None: there is no limit.
    """

    def __init__(self, result: Any, endpoint: str, pool: str | None, pool_timeout: float, time_limit: float | None):
        super().__init__(result.state)
        self._result, self._endpoint, self._time_limit = result, endpoint, time_limit
        self._pool, self._pool_timeout = pool, pool_timeout

    @property
    def state(self) -> str:
        return str(self._result.state)

    def metrics(self) -> Any:
        return self._result.metrics()

    def cancel(self) -> None:
        self._result.cancel()

    def wait_until_finish(self, duration: int | None = None) -> str:
        """Returns the state in which the job has ended; `duration`, in milliseconds, is how long to wait for it.

        Raises:
          RuntimeError: the job failed, its worker pool does not answer, or it takes longer than its limit.
        """
        ended: list[BaseException | str] = []

        def wait() -> None:
            try:
                ended.append(self._result.wait_until_finish(duration))
            except BaseException as error:  # raised by the thread that waits for this one
                ended.append(error)

        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        start = time.monotonic()
        try:
            while waiting.is_alive():
                waiting.join(_POLLING_SECONDS)
                if waiting.is_alive():
                    self._watch(time.monotonic() - start)
        except BaseException:  # also a signal that ends the run: nobody would wait for the job
            with contextlib.suppress(Exception):  # the job service may be gone, too
                self.cancel()
            raise
        (end,) = ended
        if not isinstance(end, BaseException):
            return end
        if not answers(self._endpoint):
            raise RuntimeError(_no_service(self._endpoint)) from end
        if self._pool is not None and not answers(self._pool):
            raise RuntimeError(f"beam: no worker pool answers at {self._pool}; start it, and run again") from end
        raise end

    def _watch(self, seconds: float) -> None:
        if self._pool is not None:
            _wait_for(self._pool, self._pool_timeout)
        if not answers(self._endpoint):
            raise RuntimeError(_no_service(self._endpoint))
        if self._time_limit is not None and seconds > self._time_limit:
            raise RuntimeError(
                f"beam: the job has not ended within its limit of {self._time_limit:g} s; look at its workers"
            )


def _no_service(endpoint: str) -> str:
    return f"beam: no job service answers at {endpoint}; start it, and run again"


def _wait_for(pool: str, timeout: float) -> None:
    start = time.monotonic()
    while not answers(pool):
        if time.monotonic() - start > timeout:
            raise RuntimeError(
                f"beam: no worker pool has answered at {pool} for {timeout:g} s; start it, and run again"
            )
        time.sleep(_POLLING_SECONDS)


def answers(address: str) -> bool:
    """Returns whether something listens at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), _CONNECTION_SECONDS):
            return True
    except OSError:
        return False
