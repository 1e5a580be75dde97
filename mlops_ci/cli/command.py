"""What a command is to the command line: its arguments, and a function from a context to an outcome."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ci.errors import Problem

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context

ArgumentsAdder = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a command: `value` for `--json`, `text` for people, `code` the exit code.

    In GitHub Actions `summary` is Markdown for the job summary (the text where it is left out), and each of the
    `problems` an annotation.
    """

    value: Mapping[str, Any]
    text: str
    code: int = 0
    summary: str = ""
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, kw_only=True)
class Command:
    """One that runs, or where it has `actions` a word before these: `store copy`."""

    name: str
    help: str
    run: Callable[[argparse.Namespace, Context], Outcome] | None = None
    arguments: Sequence[ArgumentsAdder] = field(default_factory=tuple)
    actions: Sequence[Command] = ()


def model_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", metavar="MODEL", help="may be left out where there is only one")


def environment_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--environment", metavar="E", help="one of those in mlops.yaml")


def release_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", dest="model_version", type=int, metavar="N", help="a registered version")
    which.add_argument("--release", metavar="ID", help="a release id, or its first digits")


def option(*flags: str, **settings: Any) -> ArgumentsAdder:
    """One further argument of a command, as `ArgumentParser.add_argument` takes it."""

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(*flags, **settings)

    return add


def path_option(*flags: str, **settings: Any) -> ArgumentsAdder:
    return option(*flags, type=Path, metavar="PATH", **settings)
