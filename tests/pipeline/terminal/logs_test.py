import os

from pipeline.terminal import logs


def test_what_a_library_writes_to_stderr_is_dropped(capfd):
    with logs.silence():
        os.write(2, b"library\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
