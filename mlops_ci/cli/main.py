"""The command `mlops-ci`: reads the arguments, runs one command, prints its outcome, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from mlops_ci import __version__
from mlops_ci.adapters.environment import Environment, read_environment, settle_libraries
from mlops_ci.cli import asking, releasing, running, starting, steps
from mlops_ci.cli.command import Command, Outcome
from mlops_ci.cli.console import StderrConsole
from mlops_ci.cli.output import error_outcome, show_error, show_outcome
from mlops_ci.errors import Interrupted, MlopsError
from mlops_ci.ports import Console

COMMANDS: tuple[Command, ...] = (
    *starting.COMMANDS,
    *steps.COMMANDS,
    *releasing.COMMANDS,
    *asking.COMMANDS,
    *running.COMMANDS,
)

EPILOG = """\
exit codes: 0 done (also when the champion is kept); 2 usage or configuration; 3 unexpected; 10 data gate;
11 model gate blocked; 12 parity; 13 verification; 14 approval; 15 rollout aborted and rolled back;
16 store or log integrity; 20 an outside system failed (retry may help); 130 interrupted"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlops-ci",
        description="GitOps CI/CD for machine learning.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mlops-ci {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        child = commands.add_parser(command.name, help=command.help, description=command.help.capitalize() + ".")
        for add in command.arguments:
            add(child)
        common = child.add_argument_group("everywhere")
        common.add_argument("--json", action="store_true", help="one result object on stdout")
        common.add_argument("--quiet", action="store_true", help="no progress on stderr")
        common.add_argument(
            "-C", dest="directory", type=Path, default=Path(), metavar="DIR", help="the repository's folder"
        )
        common.add_argument("--store", metavar="URL", help="where artifacts and the log are (default: .mlops/store)")
        child.set_defaults(run=command.run)
    return parser


def execute(arguments: argparse.Namespace, environment: Environment, console: Console) -> Outcome:
    """Runs the command that the arguments name. Raises MlopsError for what a person can mend."""
    from mlops_ci.cli.context import Context

    context = Context(
        directory=arguments.directory, store_url=arguments.store, environment=environment, console=console
    )
    outcome: Outcome = arguments.run(arguments, context)
    return outcome


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command, prints its outcome, and returns its exit code."""
    arguments = build_parser().parse_args(argv)
    environment = read_environment()
    signal.signal(signal.SIGTERM, _interrupt)
    settle_libraries()
    try:
        outcome = execute(arguments, environment, StderrConsole(quiet=arguments.quiet))
    except (MlopsError, KeyboardInterrupt) as error:
        outcome = _failed(error, environment)
    except Exception as error:  # noqa: BLE001 - the last line of defence, which reports a defect of ours as such
        traceback.print_exc()
        outcome = _failed(_unexpected(error), environment)
    try:
        show_outcome(outcome, as_json=arguments.json, environment=environment)
    except BrokenPipeError:
        # Whoever read our output has stopped reading; Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return outcome.code


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _unexpected(error: Exception) -> MlopsError:
    what = f"unexpected {type(error).__name__}: {error}"
    return MlopsError(what, fix="this is a defect of mlops-ci: please report it with the lines above")


def _failed(error: MlopsError | KeyboardInterrupt, environment: Environment) -> Outcome:
    if isinstance(error, KeyboardInterrupt):
        error = Interrupted("interrupted", fix="run the command again; nothing half done is left behind")
    show_error(error, environment)
    return error_outcome(error)


if __name__ == "__main__":
    sys.exit(main())
