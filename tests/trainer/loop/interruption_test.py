"""What SIGINT and SIGTERM do in a training, beside it and afterwards."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from trainer.loop import interruption

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def run_code(code: str) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    code = f"import os, signal, threading, time\nfrom trainer.loop import interruption\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_watched_signal_raises_nothing_before_the_end_of_the_block(number):
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(interruption.Interrupted) as caught, interruption.watch_signals() as signal_received:
        assert not signal_received()
        os.kill(os.getpid(), number)
        assert signal_received() == number
    assert caught.value.code == 128 + number
    assert [signal.getsignal(each) for each in SIGNALS] == before
    with interruption.watch_signals() as signal_received:
        assert not signal_received()


def test_the_handlers_come_back_after_an_error_too():
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(KeyError), interruption.watch_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        raise KeyError
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_in_another_thread_no_signal_is_noticed():
    answers = []

    def ask() -> None:
        with interruption.watch_signals() as signal_received:
            answers.append(signal_received())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert answers == [0]


@pytest.mark.parametrize("number", SIGNALS)
def test_it_ends_the_process_past_whoever_catches_exceptions(number):
    done = run_code(f"""
with interruption.end_on_signals(print):
    try:
        os.kill(os.getpid(), {number:d})
    except Exception:
        print("caught")
""")
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")
    assert str(interruption.Interrupted(number, "after step 3")) == f"{number.name} after step 3"


def test_who_swallows_the_exception_is_ended_after_a_moment():
    start = time.monotonic()
    done = run_code("""
with interruption.end_on_signals(lambda stop: print("stopped:", stop, flush=True)):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        assert interruption.received() == signal.SIGINT
        time.sleep(60)
""")
    assert (done.returncode, done.stdout) == (130, "stopped: SIGINT\n")
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("watched", [False, True], ids=["anywhere", "in a training"])
def test_a_second_signal_does_not_wait(watched):
    done = run_code(f"""
with interruption.end_on_signals(lambda stop: print("stopped:", stop, flush=True)):
    try:
        with interruption.watch_signals() if {watched} else interruption.contextlib.nullcontext():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                print("not at once")
    except interruption.Interrupted:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
""")
    assert done.returncode == 143
    assert done.stdout == "stopped: SIGTERM\n"


def test_afterwards_nothing_is_left_of_it():
    with pytest.raises(interruption.Interrupted), interruption.end_on_signals(lambda stop: None):
        os.kill(os.getpid(), signal.SIGTERM)
    assert interruption.received() is None
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer) and thread.is_alive()]


def test_child_processes_end_with_it():
    child = 'import time; print("started", flush=True); time.sleep(60)'
    done = run_code(f"""
import subprocess, sys
with interruption.end_on_signals(print):
    child = subprocess.Popen([sys.executable, "-c", {child!r}], stdout=subprocess.PIPE)
    child.stdout.readline()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        print(child.wait())
""")
    assert (done.returncode, done.stdout) == (143, f"{-signal.SIGTERM}\n")
