"""The command line as a shell sees it: exit codes, one line an error, and what it costs to ask for help."""

import datetime
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import types

import pytest

import pipeline
from components.example_gen.readers.tfds import TfdsReader
from pipeline import cli, record, workspace

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")


@pytest.fixture
def specialist(tmp_path):
    # As in the shell of somebody who has not set what TensorFlow says.
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}

    def specialist(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**environment, "COLUMNS": "200", "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    return specialist


@pytest.fixture
def in_process(tmp_path, monkeypatch, capfd):
    """As `specialist`, without a new process, of which seconds go into imports. What those print is not seen."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def specialist(*arguments: str) -> subprocess.CompletedProcess:
        capfd.readouterr()  # what the imports said
        code = 0
        try:
            cli.app([*arguments])
        except SystemExit as end:
            code = end.code or 0
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return specialist


def test_help_names_the_commands(specialist):
    done = specialist("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("run", "data", "predict", "prior", "plan"))


def test_the_version_is_that_of_the_package(specialist):
    root = pathlib.Path(pipeline.__file__).parents[1]
    command = [sys.executable, "setup.py", "--version"]
    packaged = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    done = specialist("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"specialist {packaged.stdout}", "")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    code = f"""
import sys
from pipeline import cli
cli.app(["{option}"], standalone_mode=False)
print("heavy:", {{"tensorflow", "keras", "tfx", "numpy", "pydantic"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: set()"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.yaml"], "error: CONFIG: no file 'nowhere.yaml'"),
        (["run", "broken.yaml"], "error: CONFIG: broken.yaml is not YAML"),
        (["run", DEMO, "--set", "colour=red"], "unknown key 'colour'; allowed are name, seed"),
        (["run", DEMO, "--set", "backbone.name=resnet"], "backbone.name: 'resnet': must be one of compact_cnn"),
        (["run", DEMO, "--set", "targets.digits.arms=[magic]"], "targets.digits.arms.0: 'magic': must be one of"),
        (["run", DEMO, "--set", "image.size=8"], "image.size: 8; compact_cnn needs at least 16"),
        (["run", DEMO, "--set", "resample.n=0"], "resample.n: 0: input should be greater than 0"),
        (["run", DEMO, "--until", "predictions"], "error: --until: 'predictions' is not one of prior"),
        (["run", DEMO, "--until", "prior", "--require-push"], "error: --require-push: a run with --until prior pushes"),
        (["run", DEMO, "--workspace", "[1]"], "[1]' has a '[', which TFX would take for a pattern"),
        (["run", DEMO, "--workspace", "broken.yaml"], "broken.yaml' is a file, or in one; name a folder"),
        (["data", "nowhere.yaml"], "error: CONFIG: no file 'nowhere.yaml'"),
        (["data", DEMO, "--thumbnails", "."], "error: --thumbnails: '.' exists, and this command did not write it"),
        (["predict", ".", "broken.yaml"], "error: MODEL: '.' is not a complete SavedModel"),
    ],
    ids=[
        "no-file",
        "no-yaml",
        "key",
        "backbone",
        "arm",
        "size",
        "sample",
        "until",
        "until-push",
        "pattern",
        "file",
        "dry-run",
        "thumbnails",
        "model",
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(specialist, tmp_path, arguments, message):
    (tmp_path / "broken.yaml").write_text("a: [1")
    done = specialist(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert sorted(os.listdir(tmp_path)) == ["broken.yaml"]  # nothing is begun


def test_verbose_shows_the_traceback(specialist):
    done = specialist("run", "nowhere.yaml", "--verbose")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "FileNotFoundError: CONFIG" in done.stderr


def test_an_unknown_dataset_is_one_line_too(specialist):
    done = specialist("run", DEMO, "--set", "source.dataset=printed_glyph", "--workspace", "here")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: dataset: 'printed_glyph' is not a TFDS data set; did you mean printed_glyphs?"
    ]


def test_a_model_that_is_damaged_is_one_line_too(specialist, tmp_path):
    (tmp_path / "variables").mkdir()
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        (tmp_path / name).touch()
    done = specialist("predict", ".", "photo.png")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith("error: MODEL: . is damaged, push it again.")


def test_a_second_run_leaves_the_workspace_of_the_first_alone(specialist, tmp_path):
    with workspace.lock_workspace(str(tmp_path / "here")):
        done = specialist("run", DEMO, "--workspace", "here")
        assert os.listdir(tmp_path / "here") == [".lock"]
    assert (done.returncode, done.stdout) == (1, "")
    first = f"another run, process {os.getpid()}, is using {tmp_path}/here"
    assert done.stderr == f"error: --workspace: {first}; wait for it, or name another\n"


def test_a_wrong_configuration_creates_nothing(in_process, tmp_path):
    source = "source={folder: nowhere, splits: {train: 0.8, eval: 0.2}}"
    data = f"targets.digits.data.data_dir={tmp_path}/data"
    for override, message in (
        (source, "folder: 'nowhere' cannot be read"),
        ("beam={runner: custom, options: [--runner=Nope]}", "beam.all.options: the runner 'Nope' cannot be used"),
        ("beam={runner: custom, options: [--runner=apache_beam.No]}", "beam.all.options: the runner 'apache_beam.No'"),
        (
            "beam={runner: custom, options: [--runner=DirectRunner, --direct_num_workers=x]}",
            "beam.all.options: Beam refuses them: argument --direct_num_workers: invalid int value: 'x'",
        ),
        ("beam={runner: dataflow}", "beam.all.runner: 'dataflow' opens no workspace"),
        (
            "beam={runner: portable, job_endpoint: 'h:1', image: i}",
            "beam.all.image: 'i'; containers that Beam starts open no workspace",
        ),
        ("beam={Trainer: {runner: multi_processing}}", "beam: 'Trainer' is neither a component nor a node"),
        (
            "beam={runner: flink, master: '[local]', worker_pool: 'h:1', staging: /s, job_server_jar: /no.jar}",
            "beam.all.job_server_jar: there is no file '/no.jar'",
        ),
    ):
        chosen = [data] if override == source else []
        sets = [part for each in (override, *chosen) for part in ("--set", each)]
        done = in_process("run", DEMO, "--workspace", "a/b", *sets)
        assert done.returncode == 1 and done.stderr.startswith(f"error: {message}")
        assert not os.listdir(tmp_path)


def test_a_dry_run_makes_no_data(in_process, tmp_path):
    done = in_process("run", DEMO, "--workspace", "a", "--dry-run", "--set", f"source.data_dir={tmp_path}/data")
    assert (done.returncode, done.stdout) == (0, "printed_glyphs would be made, and everything run that needs it\n")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", "\\xfc \\u5b57"), ("latin-1", "ü \\u5b57"), ("utf-8", "ü 字")]
)
@pytest.mark.parametrize(
    "code",
    ["cli.app = lambda: print(TEXT); cli.main()", "with logs.redirect_output('/dev/null') as out: out.print(TEXT)"],
    ids=["what a command prints", "what a run prints"],
)
def test_what_a_terminal_cannot_show_is_escaped(encoding, shown, code):
    code = f"from pipeline import cli\nfrom pipeline.terminal import logs\nTEXT = 'ü 字'\n{code}"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert (done.returncode, done.stdout.decode(encoding)) == (0, f"{shown}\n")


def test_clean_needs_the_workspace_alone_and_can_only_list(specialist, in_process, tmp_path):
    here = tmp_path / "here"
    for day in (1, 2):
        record.write(str(here), f"2026-01-0{day}", record.Record({}, {}))
        (here / "artifacts" / "a" / "model" / str(day)).mkdir(parents=True)
        (here / "artifacts" / "a" / "model" / str(day) / "weights").write_bytes(b"x" * 2000)
    with workspace.lock_workspace(str(here)):
        done = in_process("clean", "here")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: --workspace: another run, process {os.getpid()}, is using {here}; wait for")
    done = in_process("clean", "here", "--dry-run")
    assert "artifacts/a/model/1" in done.stdout
    assert "would remove 4." in done.stdout and done.stdout.endswith("with the runs 2026-01-02\n")
    assert len(list((here / "runs").iterdir())) == 2
    done = specialist("clean", "here")
    assert (done.returncode, done.stderr) == (0, "") and "\nremoved 4." in done.stdout
    assert [path.name for path in (here / "runs").iterdir()] == ["2026-01-02.json"]
    assert not list((here / "artifacts" / "a" / "model").iterdir())


@pytest.fixture
def run_in(tmp_path, monkeypatch, capfd):
    """Runs the demo in a workspace, with another function in the place of the local runner."""
    from pipeline import pipeline as pipeline_module
    from pipeline.runners import local

    def run_in(runner, *options: str) -> tuple[int, str, str]:
        """Returns the exit code, standard output and standard error."""
        monkeypatch.setattr(TfdsReader, "prepare", lambda dataset: None)
        nodes = [types.SimpleNamespace(id=name, upstream_nodes=[]) for name in ("one", "two", "three")]
        fake = types.SimpleNamespace(components=nodes)
        monkeypatch.setattr(pipeline_module, "create_pipeline", lambda *arguments: fake)
        monkeypatch.setattr(local, "run", runner)
        capfd.readouterr()  # what the imports said
        with pytest.raises(SystemExit) as stop:
            cli.app(["run", DEMO, "--workspace", str(tmp_path / "here"), *options])
        return stop.value.code, *capfd.readouterr()

    return run_in


def test_a_run_that_failed_says_so_on_stderr(run_in, tmp_path):
    from pipeline.runners.local import NodeResult, State

    results = [
        NodeResult("one", State.FAILED, 1.0, error=ValueError("n: 0")),
        NodeResult("two", State.BLOCKED, 0.0, error=RuntimeError("needs one")),
        NodeResult("three", State.FAILED, 1.0, error=ValueError("n: 1")),
    ]

    def runner(nodes, *, on_start, on_end, describe):
        os.write(1, b"a library speaks\n")
        for result in results:
            on_end(result)
        return results

    code, out, err = run_in(runner)
    (log,) = (tmp_path / "here" / "logs").iterdir()
    assert (code, err) == (1, f"error: one, three failed; the full log is {log}\n")
    assert out.splitlines()[:4] == [
        f"✗ {'one':<42}failed       1.0 s",
        "    n: 0",
        f"- {'two':<42}blocked    needs one",
        f"✗ {'three':<42}failed       1.0 s",
    ]
    assert "a library speaks" not in out
    assert "a library speaks" in log.read_text()
    assert [path.stem for path in (tmp_path / "here" / "runs").iterdir()] == [log.stem]


@pytest.mark.parametrize(
    ("found", "options", "message"),
    [
        ((0, 0), ["--strict"], None),
        ((0, 3), [], None),
        ((0, 3), ["--strict"], "error: --strict: there are 3 warnings; see above"),
        ((1, 0), [], "error: a run would stop; see above"),
        ((2, 3), ["--strict"], "error: a run would stop; see above"),
    ],
    ids=["nothing", "warnings", "strict", "stops", "both"],
)
def test_data_fails_if_a_run_would_stop_or_by_strict_if_there_is_a_warning(monkeypatch, capfd, found, options, message):
    from pipeline.preview import command

    monkeypatch.setattr(command, "preview_config", lambda *arguments, **options: found)
    capfd.readouterr()  # what the imports said
    with pytest.raises(SystemExit) as stop:
        cli.app(["data", DEMO, *options])
    assert (stop.value.code, capfd.readouterr().err) == ((1, f"{message}\n") if message else (0, ""))


def test_ctrl_c_is_a_line_and_exit_code_130(run_in, tmp_path):
    def runner(nodes, *, on_start, on_end, describe):
        on_start("one")
        os.kill(os.getpid(), signal.SIGINT)

    assert run_in(runner) == (130, "stopped: SIGINT; run the same command to resume\n", "")
    with workspace.lock_workspace(str(tmp_path / "here")):  # free again
        pass


def test_an_interrupted_run_says_where_it_was(run_in):
    from trainer.loop import interruption

    def runner(nodes, *, on_start, on_end, describe):
        raise interruption.Interrupted(signal.SIGTERM, "after step 7 of 30")

    assert run_in(runner) == (143, "stopped: SIGTERM after step 7 of 30; run the same command to resume\n", "")


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [([], 0, ""), (["--require-push"], 3, "error: --require-push: nothing was pushed for digits\n")],
    ids=["by default", "required"],
)
def test_a_model_that_was_not_pushed_is_an_exit_code_if_asked_for(run_in, options, code, error):
    found, _, errors = run_in(lambda nodes, **_: [], *options)
    assert (found, errors) == (code, error)


def test_a_run_until_the_prior_names_the_commands_that_come_next(run_in, tmp_path):
    override = "targets.digits.evaluation={minimum: 0.9}"
    code, out, errors = run_in(lambda nodes, **_: [], "--until", "prior", "--set", override)
    here = str(tmp_path / "here")
    assert (code, errors) == (0, "")
    assert out.splitlines()[-2:] == [
        f"all labels:   {shlex.join(['specialist', 'prior', here])}",
        f"the full run: {shlex.join(['specialist', 'run', DEMO, '--workspace', here, f'--set={override}'])}",
    ]
    (found,) = record.read_all(here).values()
    assert (found.until, found.ended) == ("prior", True)


def test_the_record_is_there_while_the_run_goes_on_and_after_it_was_stopped(run_in, tmp_path):
    from pipeline.runners.local import NodeResult, State

    seen = []

    def runner(nodes, *, on_start, on_end, describe):
        for node in ("one", "two"):
            on_start(node)
            on_end(NodeResult(node, State.DONE, 1.0))
            ((name, found),) = record.read_all(str(tmp_path / "here")).items()
            seen.append((list(found.nodes), found.ended))
            started = datetime.datetime.strptime(f"{name}+0000", "%Y-%m-%d-%H%M%S%z")
            assert abs(datetime.datetime.now(datetime.timezone.utc) - started) < datetime.timedelta(minutes=1)
        os.kill(os.getpid(), signal.SIGTERM)

    code, _, _ = run_in(runner)
    assert code == 143 and seen == [(["one"], False), (["one", "two"], False)]
    (found,) = record.read_all(str(tmp_path / "here")).values()
    assert list(found.nodes) == ["one", "two"] and not found.ended


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--arms", ""], "error: --arms: '' has an empty name; give names with a comma between them"),
        (["--arms", "entire_source,,x"], "error: --arms: 'entire_source,,x' has an empty name"),
        (["--arms", "a: {"], "compare.arms: 'a: {': must be one of entire_source"),
        (["--targets", "all"], "compare.targets: 'all' is not one of digits"),
        (["--budget", "nan"], "error: --budget: nan; it must be a positive number of hours"),
        (["--table", ""], "error: table: ''; must be one of subsets, backbones, selection, weights"),
        (["--figure", "prior"], "error: figure: 'prior'; must be one of importance, matchers, shots, budget"),
        (["--table", "subsets", "--with", "away"], "error: --with: no folder 'away'; name a workspace of"),
        (["--with", "away"], "error: --with: 'away' is for --table and --figure"),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, list) else "",
)
def test_mistakes_of_a_comparison_are_named_before_anything_is_made(in_process, tmp_path, options, message):
    done = in_process("compare", DEMO, *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
