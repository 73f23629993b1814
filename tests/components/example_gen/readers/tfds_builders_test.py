"""Preparing the embedded data sets, also by several processes at once."""

import threading
import time

from components.example_gen.readers import tfds_builders


def test_who_comes_second_waits_and_makes_nothing(tmp_path, monkeypatch):
    made = tmp_path / "glyphs" / "1.0.0"
    started = threading.Event()
    calls = []

    killed = made.parent / "incomplete.X_1.0.0"
    killed.mkdir(parents=True)

    class Builder:
        data_dir = made

        def is_prepared(self) -> bool:
            return made.exists()

        def download_and_prepare(self) -> None:
            calls.append(threading.current_thread().name)
            started.set()
            time.sleep(0.3)
            made.mkdir()

    monkeypatch.setattr(tfds_builders, "_open", lambda dataset, data_dir: Builder())
    results = {}

    def prepare(name: str) -> None:
        results[name] = tfds_builders.prepare_embedded("printed_glyphs", None)

    first = threading.Thread(target=prepare, args=["first"], name="first")
    first.start()
    started.wait()
    prepare("second")
    first.join()
    assert (results, calls) == ({"first": True, "second": False}, ["first"])
    assert tfds_builders.prepare_embedded("printed_glyphs", None) is False
    assert not killed.exists()
