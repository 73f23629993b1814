"""Beam's own job service and pools of its workers, as processes of a bare environment that has only the wheel."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from components.watched_runner import answers

_ROOT = pathlib.Path(__file__).parents[1]
_START_SECONDS = 120.0


def make_environment(folder: pathlib.Path) -> pathlib.Path:
    """Makes a virtual environment with the packages of this one and with Specialist's wheel; returns its Python."""
    uv = os.path.join(os.path.dirname(sys.executable), "uv")
    pins, python = folder / "pins.txt", folder / "environment" / "bin" / "python"

    def run(*arguments: str | pathlib.Path) -> str:
        return subprocess.run([uv, *arguments], check=True, capture_output=True, text=True, cwd=_ROOT).stdout

    run("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder / "wheel", ".")
    pins.write_text(run("pip", "freeze", "--exclude-editable", "--python", sys.executable))
    run("venv", "--python", sys.executable, folder / "environment")
    (wheel,) = (folder / "wheel").glob("*.whl")
    run("pip", "install", "--no-deps", "--python", python, "--requirement", pins, wheel)
    return python


@contextlib.contextmanager
def run_job_service(python: pathlib.Path, folder: pathlib.Path) -> Iterator[str]:
    """Runs Beam's job service; yields its address. Its log is `service.log` in `folder`."""
    address = _free_address()
    module = ["apache_beam.runners.portability.local_job_service_main", "--port", address.rpartition(":")[2]]
    with _run(python, folder, "service", *module, "--staging_dir", f"{folder}/staging"):
        _wait_for(address)
        yield address


@contextlib.contextmanager
def run_worker_pool(python: pathlib.Path, folder: pathlib.Path, address: str = "") -> Iterator[tuple[str, int]]:
    """Runs a pool of workers; yields its address and the id of its process group. Its log is `pool.log` in `folder`.

    Args:
      python: of the environment.
      folder: for its log, and for an empty HOME.
      address: where it is; by default at a free port.
    """
    address = address or _free_address()
    module = ["apache_beam.runners.worker.worker_pool_main", "--service_port", address.rpartition(":")[2]]
    with _run(python, folder, "pool", *module) as process:
        _wait_for(address)
        yield address, process.pid


def kill(group: int) -> None:
    """Kills a group of processes at once, if it is there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@contextlib.contextmanager
def _run(python: pathlib.Path, folder: pathlib.Path, name: str, *module: str) -> Iterator[subprocess.Popen]:
    home = folder / f"{name}-home"
    home.mkdir(parents=True, exist_ok=True)
    # A pool starts its workers by the first `python` on the PATH.
    env = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with open(folder / f"{name}.log", "a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [python, "-m", *module], env=env, cwd=home, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            kill(process.pid)
            process.wait()


def _free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def _wait_for(address: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while not answers(address):
        if time.monotonic() > end:
            raise TimeoutError(f"nothing listens at {address}")
        time.sleep(0.1)
