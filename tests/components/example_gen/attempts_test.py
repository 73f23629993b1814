"""An ingestion that ends early, for whatever reason, and the next attempt: what is read again, refused, and left."""

import collections
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap

import grpc
import pytest

from components.example_gen import limit, policy
from components.example_gen import working as working_folder
from components.example_gen.readers import files
from components.example_gen.readers.folder import FolderReader

SPLITS = {"train": 0.8, "eval": 0.2}


@pytest.fixture
def folder(picture, tmp_path) -> pathlib.Path:
    """100 images, of two labels."""
    for i in range(100):
        path = tmp_path / "images" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(i))
    return tmp_path / "images"


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The names of files that were read; parts have ten of them."""
    names: list[str] = []
    read_bytes = files.read_bytes

    def counted(uri: str) -> bytes:
        names.append(os.path.basename(uri))
        return read_bytes(uri)

    monkeypatch.setattr(files, "read_bytes", counted)
    monkeypatch.setattr(files, "_PART_FILES", 10)
    return names


def stop_after(monkeypatch, count: int) -> None:
    """Lets reading end with an error after so many files."""
    counted, left = files.read_bytes, [count]

    def failing(uri: str) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise KeyError("the power failed")
        return counted(uri)

    monkeypatch.setattr(files, "read_bytes", failing)


def test_another_attempt_reads_what_was_not_finished(generate, folder, read, tmp_path, monkeypatch):
    reader, working = FolderReader(folder=str(folder), splits=SPLITS), tmp_path / "working" / "node"
    whole = generate(reader, shards=3)
    assert len(read) == 100
    read.clear()
    with monkeypatch.context() as patch:
        stop_after(patch, 90)
        with pytest.raises(Exception, match="the power failed"):
            generate(reader, shards=3, working=working, root=tmp_path / "first")
    assert len(read) == 90
    (attempt,) = working.iterdir()
    finished = len(list((attempt / "parts").iterdir()))
    assert 7 <= finished <= 9  # of ten parts; some files were read ahead
    read.clear()
    again = generate(reader, shards=3, working=working, root=tmp_path / "second")
    assert len(read) == len(set(read)) == 100 - 10 * finished
    assert again.files() == whole.files()
    assert list(working.iterdir()) == []


def test_a_folder_that_was_given_up(generate, folder, read, tmp_path, monkeypatch):
    """What a killed process leaves: an unfinished run, temporary files, a part of the output; and other data's work."""
    working, killed = tmp_path / "working" / "node", tmp_path / "killed"
    reader = FolderReader(folder=str(folder), splits=SPLITS)
    with monkeypatch.context() as patch:
        stop_after(patch, 55)
        with pytest.raises(Exception, match="the power failed"):
            generate(reader, working=working, root=killed)
    (attempt,) = working.iterdir()
    (attempt / "runs" / "000009-dead-0000.run").write_bytes(b"cut o")
    (attempt / ".tmp-dead").mkdir()
    (attempt / ".tmp-dead" / "x.run").write_bytes(b"c")
    (killed / "examples" / "Split-train").mkdir(parents=True, exist_ok=True)
    (killed / "examples" / "Split-train" / "data_tfrecord-00000-of-00001").write_bytes(b"cut o")
    other = working / "0123456789abcdef"
    shutil.copytree(attempt, other)
    mine = working / "not-of-an-ingestion"
    mine.mkdir()
    read.clear()
    made = generate(reader, working=working, root=tmp_path / "next")
    assert len(read) < 60
    assert len(made.records("train")) + len(made.records("eval")) == 100
    assert list(working.iterdir()) == [mine]
    assert not (killed / "examples").exists() and not (killed / "index").exists()


def test_nothing_of_an_attempt_with_other_settings_is_used(generate, folder, read, tmp_path, monkeypatch):
    working, reader = tmp_path / "working" / "node", FolderReader(folder=str(folder), splits=SPLITS)
    with monkeypatch.context() as patch:
        stop_after(patch, 95)
        with pytest.raises(Exception, match="the power failed"):
            generate(reader, working=working, max_pixels=1000)
    read.clear()
    generate(reader, working=working, max_pixels=999)
    assert len(read) == 100


def test_another_limit_goes_on_from_what_was_read(generate, folder, read, tmp_path):
    (folder / "a" / "0.png").write_bytes(b"no image")
    working, reader = tmp_path / "working" / "node", FolderReader(folder=str(folder), splits=SPLITS)
    policy.write_policy(str(working), policy.Policy(max_rejected=0.005))
    with pytest.raises(ValueError, match=r"^max_rejected: 1 of 100 images cannot be taken, .*: 1 not_an_image \(a/0"):
        generate(reader, working=working, max_rejected=None)
    read.clear()
    policy.write_policy(str(working), policy.Policy(max_rejected=0.01))
    made = generate(reader, working=working, max_rejected=None)
    assert read == []
    assert set(made.rejections()) == {"a/0.png"}


def test_too_many_bad_images_stop_the_reading(generate, folder, read, monkeypatch):
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    monkeypatch.setattr(limit, "LEAST_IMAGES", 20)
    with pytest.raises(ValueError, match=r"^max_rejected: 20 of the 20 images read so far cannot be taken, more than"):
        generate(FolderReader(folder=str(folder), splits=SPLITS), max_rejected=0.1)
    assert 20 <= len(read) <= 50 < 100  # some were read ahead


def test_too_little_space_is_refused_before_anything_is_read(generate, folder, read, tmp_path, monkeypatch):
    size = sum(path.stat().st_size for path in folder.rglob("*.png"))
    usage = collections.namedtuple("Usage", ["total", "used", "free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, 2 * size))
    reader = FolderReader(folder=str(folder), splits=SPLITS)
    # Once as working files and once as they are written, with 100 and 400 bytes for each of the 100 images besides, and
    # a fiftieth for what stands around them.
    message = rf"^disk: .* has {2 * size:,} bytes free, and the images need ([\d,]+): "
    with pytest.raises(ValueError, match=message) as error:
        generate(reader)
    needed = int(re.match(message, str(error.value))[1].replace(",", ""))
    assert needed == pytest.approx(1.02 * (2 * size + 100 * 500), abs=10)
    assert read == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, needed))
    generate(reader)
    assert len(read) == 100


SCRIPT = """
    import sys
    import apache_beam as beam
    from tfx.dsl.components.base import base_beam_executor
    import components
    from components.example_gen import executor
    from components.example_gen.readers import files
    from components.example_gen.readers.folder import FolderReader

    files._PART_FILES = 10
    root, images, working = sys.argv[1:]
    node = components.SourceExampleGen(
        dataset=FolderReader(folder=images, splits={"train": 0.8, "eval": 0.2}), shards=3, working=working
    )
    read_bytes = files.read_bytes

    def counted(uri):
        print("read", flush=True)
        return read_bytes(uri)

    files.read_bytes = counted
    outputs = {name: channel.type() for name, channel in node.outputs.items()}
    for name, artifact in outputs.items():
        artifact.uri = f"{root}/{name}"
    context = base_beam_executor.BaseBeamExecutor.Context(make_beam_pipeline_fn=beam.Pipeline)
    executor.Executor(context).Do({}, {name: [made] for name, made in outputs.items()}, node.exec_properties)
"""


def test_a_copy_removes_nothing_of_the_original(tmp_path):
    original, copy = tmp_path / "original", tmp_path / "copy"
    output = original / "artifacts" / "examples" / "1"
    output.mkdir(parents=True)
    working_folder.begin(str(original / "working"), {"of": 1}, [str(output)]).note_outputs([str(output)])
    shutil.copytree(original, copy)
    working_folder.begin(str(copy / "working"), {"of": 1}, [str(copy / "artifacts" / "examples" / "2")])
    assert output.exists() and not (copy / "artifacts" / "examples" / "1").exists()


@pytest.mark.slow
def test_a_process_that_is_killed(folder, tmp_path):
    def start(root: str) -> subprocess.Popen:
        arguments = [str(tmp_path / root), str(folder), str(tmp_path / "working" / "node")]
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def of(root: str) -> dict[str, bytes]:
        paths = [path for path in (tmp_path / root).rglob("*") if path.is_file()]
        return {str(path.relative_to(tmp_path / root)): path.read_bytes() for path in paths}

    whole = start("whole")
    assert whole.communicate()[0].count("read") == 100 and whole.returncode == 0
    killed = start("killed")
    for _ in range(90):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    (attempt,) = (tmp_path / "working" / "node").iterdir()
    finished = len(list((attempt / "parts").iterdir()))
    again = start("again")
    lines = again.communicate()[0]
    assert again.returncode == 0
    assert lines.count("read") == 100 - 10 * finished <= 40
    assert of("again") == of("whole")


@pytest.mark.slow
def test_files_do_not_depend_on_the_runner(generate, folder, tmp_path):
    reader = FolderReader(folder=str(folder), splits=SPLITS)
    alone = generate(reader, shards=3).files()
    several = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    assert generate(reader, 3, several).files() == alone


@pytest.mark.slow
def test_files_do_not_depend_on_workers_elsewhere(generate, folder):
    """A pool of workers, each a process that Beam's portable runner sends its work to."""
    reader = FolderReader(folder=str(folder), splits=SPLITS)
    alone = generate(reader, shards=3).files()
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    pool = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        arguments = (
            "--runner=PortableRunner",
            "--job_endpoint=embed",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{port}",
        )
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=120)
        assert generate(reader, 3, arguments).files() == alone
    finally:
        pool.terminate()
        pool.wait()
