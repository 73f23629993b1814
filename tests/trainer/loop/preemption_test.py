"""How a program handles SIGTERM during a training, and afterwards."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from trainer.loop import preemption


def test_a_signal_is_noticed_and_does_nothing_else():
    before = signal.getsignal(signal.SIGTERM)
    with preemption.watch_sigterm() as preempted:
        assert not preempted()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert preempted()
    assert signal.getsignal(signal.SIGTERM) is before
    with preemption.watch_sigterm() as preempted:
        assert not preempted()


def test_the_handler_comes_back_after_an_error_too():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyError), preemption.watch_sigterm():
        raise KeyError
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_no_signal_is_noticed():
    answers = []

    def ask() -> None:
        with preemption.watch_sigterm() as preempted:
            answers.append(preempted())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert answers == [False]


def test_it_ends_the_process_with_143_past_whoever_catches_exceptions():
    code = """
from trainer.loop import preemption
try:
    raise preemption.Preempted("after step 3")
except Exception:
    print("caught")
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
    assert str(preemption.Preempted("after step 3")) == "after step 3"
