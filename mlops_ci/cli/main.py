"""The command `mlops-ci`: reads the arguments, runs one command, prints its outcome, turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from mlops_ci import __version__
from mlops_ci.adapters.environment import Environment, read_environment, settle_libraries
from mlops_ci.cli import (
    asking,
    attesting,
    auditing,
    backtesting,
    building,
    comparing,
    doctoring,
    handing_over,
    inferring,
    planning,
    releasing,
    reproducing,
    requesting,
    reviewing,
    running,
    starting,
    steps,
    storing,
    updating,
    verifying,
    verifying_log,
)
from mlops_ci.cli.command import Command, Outcome
from mlops_ci.cli.console import StderrConsole
from mlops_ci.cli.output import error_outcome, show_error, show_outcome
from mlops_ci.errors import ConfigurationError, Interrupted, MlopsError, OutsideError
from mlops_ci.ports import Console

COMMANDS: tuple[Command, ...] = (
    *starting.COMMANDS,
    *updating.COMMANDS,
    *doctoring.COMMANDS,
    *inferring.COMMANDS,
    *planning.COMMANDS,
    *steps.COMMANDS,
    *backtesting.COMMANDS,
    *releasing.COMMANDS,
    *requesting.COMMANDS,
    *reviewing.COMMANDS,
    *asking.COMMANDS,
    *auditing.COMMANDS,
    *comparing.COMMANDS,
    *handing_over.COMMANDS,
    *verifying_log.COMMANDS,
    *storing.COMMANDS,
    *reproducing.COMMANDS,
    *building.COMMANDS,
    *verifying.COMMANDS,
    *attesting.COMMANDS,
    *running.COMMANDS,
)

EPILOG = """\
exit codes: 0 done (also when the champion is kept); 2 usage or configuration; 3 unexpected; 10 data gate;
11 model gate blocked; 12 parity; 13 verification; 14 approval; 15 rollout aborted and rolled back;
16 store or log integrity; 20 an outside system failed (retry may help); 130 interrupted"""


class _Parser(argparse.ArgumentParser):
    """Wrong usage is an error like any other, so that `--json` answers it too."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(message, where=self.prog, fix=f"{self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mlops-ci",
        description="GitOps CI/CD for machine learning.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mlops-ci {__version__}")
    _add_commands(parser, COMMANDS, "command")
    return parser


def _add_commands(parser: argparse.ArgumentParser, added: Sequence[Command], word: str) -> None:
    commands = parser.add_subparsers(title=f"{word}s", dest=word, metavar=word.upper(), required=True)
    for command in added:
        child = commands.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help[:1].upper()}{command.help[1:]}.",
            allow_abbrev=False,
        )
        if command.actions:
            _add_commands(child, command.actions, "action")
            continue
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


def execute(arguments: argparse.Namespace, environment: Environment, console: Console) -> Outcome:
    """Runs the command that the arguments name. Raises MlopsError for what a person can mend."""
    from mlops_ci.cli.context import Context

    context = Context(
        directory=arguments.directory, store_url=arguments.store, environment=environment, console=console
    )
    try:
        outcome: Outcome = arguments.run(arguments, context)
    finally:
        context.close()
    return outcome


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command, prints its outcome, and returns its exit code."""
    given = sys.argv[1:] if argv is None else argv
    environment = read_environment()
    settle_libraries()
    with _sigterm_as_interrupt():
        try:
            return _show(_attempt(given, environment), as_json="--json" in given, environment=environment)
        except KeyboardInterrupt:  # once more, while the first was being reported
            return Interrupted.exit_code


def _attempt(given: Sequence[str], environment: Environment) -> Outcome:
    """The command's outcome, whatever happens."""
    try:
        arguments = build_parser().parse_args(given)
        return execute(arguments, environment, StderrConsole(quiet=arguments.quiet))
    except MlopsError as error:
        known = error
    except KeyboardInterrupt:
        known = Interrupted("interrupted", fix="run the command again; nothing half done is left behind")
    except Exception as error:  # noqa: BLE001 - the last line of defence, which reports a defect of ours as such
        traceback.print_exc()
        what = f"unexpected {type(error).__name__}: {error}"
        known = MlopsError(what, fix="this is a defect of mlops-ci: please report it with the lines above")
    show_error(known)
    return error_outcome(known)


def _show(outcome: Outcome, *, as_json: bool, environment: Environment) -> int:
    """Tells people and machines; returns the exit code."""
    try:
        show_outcome(outcome, as_json=as_json, environment=environment)
    except BrokenPipeError:  # whoever read our output has stopped reading
        _give_up_stdout()
    except OSError as error:
        if error.filename is None:
            _give_up_stdout()
        show_error(
            OutsideError(f"the result cannot be written: {error.strerror}", where=str(error.filename or "stdout"))
        )
        return outcome.code or OutsideError.exit_code
    return outcome.code


def _give_up_stdout() -> None:
    """What it could not take is dropped: Python would try once more when it ends, and answer 120 for our exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
