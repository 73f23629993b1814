"""A run of a configuration in a workspace, on this machine: what is checked, locked, logged, recorded and shown."""

import contextlib
import dataclasses
import functools
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import rich.console

from pipeline import workspace as workspaces
from pipeline.config.run import Config
from pipeline.terminal import logs

if TYPE_CHECKING:
    from tfx.orchestration import pipeline as tfx_pipeline

    from pipeline import record
    from pipeline.pipeline import Until
    from pipeline.place import Place
    from pipeline.runners import local
    from pipeline.runners.compile import Compiled


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The nodes of a run that failed, the targets whose model should have been pushed and was not, the log's path."""

    failed: list[str]
    unpushed: list[str]
    log: str


@dataclasses.dataclass(frozen=True)
class ComparisonOutcome:
    """The cells of a comparison that failed, and the log's path."""

    failed: list[str]
    log: str


def run_config(config: Config, workspace: str, until: "Until | None" = None) -> Outcome:
    """Runs the pipeline of `config` in the folder `workspace`.

    Nothing is written to the workspace before the configuration and its data have been checked.

    Args:
      config: the configuration.
      workspace: the folder.
      until: what the run ends with, as `create_pipeline` takes it.

    Raises:
      ValueError, RuntimeError: the configuration is wrong, or another run uses the workspace.
      trainer.loop.interruption.Interrupted: a signal ended the run.
    """
    if until is None:
        config.require_source()
    with (
        workspaces.lock_workspace(workspace),
        logs.redirect_output(os.devnull) as console,
        end_on_signals(console, "run the same command to resume"),
    ):
        with logs.show_waiting(console, "starting"):
            from components.transfer_report import page
            from pipeline import pipeline, record
            from pipeline.nodes import ids, ingest
            from pipeline.place import Place
            from pipeline.results import summary
            from pipeline.runners import local
            from pipeline.terminal.errors import one_line
            from pipeline.terminal.progress import Display
            from trainer.loop import progress
        config = config.pin_weights(arms=until is None)
        ingest.prepare(config, functools.partial(logs.show_waiting, console))
        place = Place.local(workspace)
        nodes = pipeline.create_pipeline(config, place, until)
        name = time.strftime("%Y-%m-%d-%H%M%S", time.gmtime())
        log = os.path.join(workspace, "logs", f"{name}.log")
        with logs.write_log(log):
            write_policies(config, place)
            view = Display(console)
            known = record.Record(config.model_dump(), {}, ended=False, until=until)

            def end(result: local.NodeResult) -> None:
                # After each node: others read the record while the run goes on, and after it was stopped.
                known.nodes[result.node] = _note_node(nodes, result)
                record.write(workspace, name, known)
                view.end(result)

            try:
                with progress.listen(view.progress):
                    results = local.run(nodes, on_start=view.start, on_end=end, describe=one_line)
            finally:
                view.stop()
            found = summary.collect(config, results, workspace, until)
            verdicts = {target: each.verdict for target, each in found.targets.items() if each.verdict}
            record.write(workspace, name, dataclasses.replace(known, ended=True, verdicts=verdicts))
            summary.show(console, found, results)
            if until is None:
                _advise(console, config, results)
            if (reporting := known.nodes.get(ids.REPORT)) and (reports := reporting.outputs.get("report")):
                _say_report(console, os.path.join(reports[0], page.FILE_NAME))
    failed = [result.node for result in results if result.state is local.State.FAILED]
    pushing = config.targets.items() if until is None else ()
    unpushed = [target for target, each in pushing if each.push and not found.targets[target].pushed]
    return Outcome(failed, unpushed, log)


def compare_config(
    config: Config, workspace: str, *, hours: float | None = None, keep_models: bool = False
) -> ComparisonOutcome:
    """Trains what the comparison of `config` still needs in the folder `workspace`, and reports on all of it.

    Args:
      config: the configuration.
      workspace: the folder; runs may share it.
      hours: no training is started that is likely to end later; None: there is no limit.
      keep_models: whether the models of finished cells stay.

    Raises:
      ValueError, RuntimeError: the configuration is wrong, the disk is too small, or another run uses the workspace.
      trainer.loop.interruption.Interrupted: a signal ended the comparison.
    """
    config.require_source()
    with (
        workspaces.lock_workspace(workspace),
        logs.redirect_output(os.devnull) as console,
        end_on_signals(console, "run the same command to go on"),
    ):
        with logs.show_waiting(console, "starting"):
            from pipeline.compare import kept, matrix, show, store, train
            from pipeline.nodes import ids, ingest
            from pipeline.place import Place
            from pipeline.record import Record
            from pipeline.report import command
            from pipeline.terminal.progress import Display
            from trainer.loop import progress
        config = config.pin_weights()
        cells = matrix.list_cells(config)
        ingest.prepare(config, functools.partial(logs.show_waiting, console))
        with logs.show_waiting(console, "looking for finished cells"):
            plan = train.plan(config, workspace, cells.cells, keep_models=keep_models)
        show.show_plan(console, cells, plan)
        log = os.path.join(workspace, "logs", f"compare-{time.strftime('%Y-%m-%d-%H%M%S', time.gmtime())}.log")
        with logs.write_log(log):
            write_policies(config, Place.local(workspace))
            view = Display(console)
            try:
                with progress.listen(view.progress):
                    trained = train.train_cells(
                        config,
                        plan,
                        seconds=None if hours is None else 3600 * hours,
                        on_start=view.start,
                        on_end=view.end,
                        on_progress=lambda far: show.show_progress(console, far),
                    )
            finally:
                view.stop()
            folder = store.folder_of(workspace, config.name)
            before = kept.read(folder)
            show.report(console, config, folder, trained)
            nodes = {result.node: _note_node(plan.nodes.pipeline, result) for result in trained.nodes if plan.nodes}
            reports = nodes.pop(ids.REPORT).outputs.get("report") if ids.REPORT in nodes else None
            now = kept.Kept(Record(json.loads(json.dumps(config.model_dump())), nodes), plan.described)
            kept.write(folder, now)
            if reports:
                _say_report(console, command.keep_report(folder, reports[0]))
            elif trained.results:
                same = before is not None and (before.record.config, before.keys()) == (now.record.config, now.keys())
                _say_report(console, command.report_comparison(folder, again=bool(nodes) or not same))
    return ComparisonOutcome([str(cell) for cell in trained.failed], log)


def _note_node(nodes: "tfx_pipeline.Pipeline", result: "local.NodeResult") -> "record.Node":
    """Returns what the record says of a node of the pipeline `nodes`."""
    from pipeline import record
    from pipeline.terminal.errors import one_line

    node = next(node for node in nodes.components if node.id == result.node)
    return record.Node(
        result.state.value,
        result.seconds,
        result.uris(),
        type(node).__name__,
        sorted(upstream.id for upstream in node.upstream_nodes),
        one_line(result.error) if result.error else "",
    )


def _say_report(console: rich.console.Console, path: str) -> None:
    console.print(f"report:   {path}", markup=False, highlight=False)


def _advise(console: rich.console.Console, config: Config, nodes: list) -> None:
    """Prints what a run of several arms says about which of them to push."""
    from pipeline.compare import advice
    from pipeline.compare.results import metric_of, results_of_run

    trained = {result.node: result for result in nodes if "model_run" in result.outputs}
    results = results_of_run(
        config,
        lambda node: trained[node].uris()["model_run"][0] if node in trained else None,
        lambda node: trained[node].seconds if node in trained else 0.0,
    )
    for target, settings in config.targets.items():
        found = [result for result in results if result.cell.target == target]
        if len(found) > 1:
            for sentences in advice.advise_run(found, settings.push, metric_of(config, target)).values():
                console.print(f"{target}: {' '.join(sentences)}", markup=False, highlight=False)


def write_policies(config: Config, place: "Place") -> None:
    """Writes what decides nothing of the results, such as how often checkpoints are written, to where runs read it."""
    from pipeline.nodes import ingest
    from trainer.loop import checkpoints

    ingest.write_policies(config, place)
    checkpoints.write_policy(place.checkpoints, config.checkpoint)


def show_results(config: Config, workspaces: list[str], *, table: str | None, figure: str | None) -> None:
    """Shows a table or a figure from the results at hand in `workspaces`; nothing is trained."""
    config.require_source()
    with logs.redirect_output(os.devnull) as console:
        from pipeline.compare import show

        if table is not None:
            show.show_table(console, table, config, workspaces)
        if figure is not None:
            show.show_figure(console, figure, config, workspaces)


def compile_config(config: Config, backend: str, *, comparison: bool = False, sending: bool = False) -> "Compiled":
    """Compiles the run of `config`, or its comparison, for a cluster. Nothing is sent, or written for it.

    Args:
      config: the configuration.
      backend: 'kubeflow' or 'vertex'.
      comparison: whether it is what `compare_config` trains.
      sending: whether it is to be sent.

    Raises:
      ValueError: the backend cannot run it as configured, or data are missing; one line for each reason.
    """
    config.require_source()
    with logs.redirect_output(os.devnull) as console, end_on_signals(console, "nothing was sent"):
        with logs.show_waiting(console, "starting"):
            from components import extras

            extras.require("deploy", "kfp")
            from pipeline import pipeline
            from pipeline.compare import matrix
            from pipeline.nodes import ingest
            from pipeline.place import Place
            from pipeline.runners import checks, submit
            from pipeline.runners.compile import compile_pipeline
        checks.check(config, backend, comparison=comparison, sending=sending)
        config = config.pin_weights()
        ingest.prepare(config, functools.partial(logs.show_waiting, console))
        with logs.show_waiting(console, "compiling"):
            baselines = {} if comparison else submit.find_baselines(config, backend)
            place = Place.remote(config, baselines, comparison=comparison)
            if comparison:
                cells = matrix.list_cells(config).cells
                nodes = matrix.create_nodes(config, place, cells, keep_models=True, finished={}).pipeline
            else:
                nodes = pipeline.create_pipeline(config, place)
            compiled = compile_pipeline(nodes, config, place, backend)
        for name, target in config.targets.items():
            if target.push and not comparison and name not in baselines:
                text = f"{name}: no served model was found to compare with; remote.baselines.{name} names one"
                console.print(text, style="yellow", highlight=False)
        return compiled


def submit_config(
    config: Config, backend: str, parameters: Mapping[str, str], *, comparison: bool, wait: bool, dry_run: bool
) -> None:
    """Sends the run of `config`, or its comparison, to a cluster, and says where it can be looked at.

    Args:
      config: the configuration.
      backend: 'kubeflow' or 'vertex'.
      parameters: of the run, as texts; the others have their defaults.
      comparison: whether it is what `compare_config` trains.
      wait: whether to wait for its end.
      dry_run: whether only to say what would be sent.

    Raises:
      ValueError: the backend cannot run it as configured.
      RuntimeError: the run has failed; only if it is waited for.
    """
    compiled = compile_config(config, backend, comparison=comparison, sending=not dry_run)
    with logs.redirect_output(os.devnull) as console, end_on_signals(console, "what was sent goes on"):
        from pipeline.runners import checks, submit

        values = submit.set_parameters(compiled, parameters)
        checks.check_parameters(config, values)
        texts = ", ".join(f"{name}={value}" for name, value in sorted(values.items()))
        console.print(f"{submit.name_of(compiled, values)}: {len(compiled.tasks)} steps", highlight=False)
        console.print(f"parameters: {texts}", markup=False, highlight=False)
        if dry_run:
            console.print("nothing was sent", highlight=False)
            return
        with logs.show_waiting(console, f"sending it to {backend}"):
            submit.copy_baselines(config, compiled.baselines)
            place = submit.submit(config, compiled, values, wait=wait)
        console.print(f"look at it: {place}", markup=False, highlight=False)


def show_forecast(config: Config, workspace: str, until: "Until | None" = None) -> None:
    """Prints, for each node, whether a run would reuse its results. Nothing is written to the workspace."""
    if until is None:
        config.require_source()
    with logs.redirect_output(os.devnull) as console, end_on_signals(console, "no run was changed"):
        with logs.show_waiting(console, "starting"):
            from pipeline.nodes import ingest
            from pipeline.runners import forecast
            from pipeline.terminal.progress import show_state
        for data in ingest.find_unprepared(config):
            console.print(f"{data.location} would be made, and everything run that needs it", highlight=False)
            return
        with logs.show_waiting(console, "comparing with earlier runs"):
            states = forecast.forecast(config, workspace, until)
        for node, state in states.items():
            show_state(console, node, state)
        count = sum(state is None for state in states.values())
        console.print(f"{count} of {len(states)} nodes would run", highlight=False)


@contextlib.contextmanager
def end_on_signals(console: rich.console.Console, consequence: str) -> Iterator[None]:
    """Ends the process at SIGINT or SIGTERM in the block, with a line that says why, and the `consequence`."""
    from trainer.loop import interruption

    def report(stop: interruption.Interrupted) -> None:
        console.print(f"stopped: {stop}; {consequence}", style="yellow", highlight=False)

    try:
        with interruption.end_on_signals(report):
            yield
    except interruption.Interrupted as stop:
        report(stop)
        raise
