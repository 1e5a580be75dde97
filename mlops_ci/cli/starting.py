"""`init` and `demo`: the first two commands that anybody runs."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.adapters import templates
from mlops_ci.cli.command import ArgumentsAdder, Command, Outcome, option, path_option
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context


def init(arguments: argparse.Namespace, context: Context) -> Outcome:
    template = templates.load(arguments.kind)
    answers = answers_given(arguments)
    if not arguments.defaults and sys.stdin.isatty():
        answers = ask(template.questions, answers)
    destination = context.directory / arguments.destination
    made = templates.render(template, answers, destination)
    _warn_of_ignored_records(context, destination)
    kept = f"; yours, and kept as they are: {', '.join(made.kept)}" if made.kept else ""
    begin = "" if (destination / ".git").exists() else "git init -b main && "
    text = (
        f"{len(made.files)} files in {destination}{kept}\n\nnext:\n  cd {shlex.quote(str(arguments.destination))}\n"
        f"  {begin}git add . && git commit -m 'a model to release'\n  {_first_command(destination)}"
    )
    value = {
        "kind": template.kind, "destination": str(destination), "files": list(made.files), "kept": list(made.kept),
    }  # fmt: skip
    return Outcome(value=value, text=text)


def demo(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.demo import run_demo

    return run_demo(context.directory / (arguments.dir or Path("mlops-ci-demo")), context)


def answers_given(arguments: argparse.Namespace) -> dict[str, str]:
    """Raises ConfigurationError where an `--answer` is none, or two answer the same question."""
    answers: dict[str, str] = {}
    for text in arguments.answer:
        name, separator, answer = text.partition("=")
        if not separator:
            raise ConfigurationError(f"--answer {shown_name(text)}: has no =", fix="write --answer question=answer")
        if answers.setdefault(name, answer) != answer:
            raise ConfigurationError(f"--answer {shown_name(name)} is given twice", fix="leave one of them out")
    return answers


def ask(questions: Iterable[templates.Question], given: Mapping[str, str]) -> dict[str, str]:
    """The answers, with what is not given asked on the terminal. Raises ConfigurationError where nobody answers."""
    answers = dict(given)
    for question in questions:
        while question.name not in answers:
            print(f"{question.prompt} [{question.default}]: ", end="", file=sys.stderr, flush=True)
            line = sys.stdin.readline()
            if not line:
                raise ConfigurationError("nobody answers", fix="answer by --answer, or take the --defaults")
            answer = line.strip() or question.default
            problem = question.problem_with(answer)
            if problem is None:
                answers[question.name] = answer
            else:
                print(problem, file=sys.stderr)
    return answers


def answer_option() -> ArgumentsAdder:
    return option(
        "--answer", action="append", default=[], metavar="QUESTION=ANSWER", help="answer one question; may be repeated"
    )


def _warn_of_ignored_records(context: Context, folder: Path) -> None:
    """What Git ignores is not committed, and without its records a repository cannot be merged with its template."""
    from mlops_ci.adapters.git import GitRepository
    from mlops_ci.adapters.template_record import RECORDS

    for name in GitRepository(folder).git("check-ignore", *sorted(RECORDS), check=False).splitlines():
        context.console.warn(f"Git ignores {name}, which `update` needs: write !{name} into .gitignore")


def _first_command(folder: Path) -> str:
    from mlops_ci.config.loading import declared

    models = sorted(declared(folder))
    return shlex.join(["mlops-ci", "ci", *(models if len(models) > 1 else [])])


COMMANDS = (
    Command(
        name="demo",
        help="walk the whole path on this machine: no account, no Docker",
        run=demo,
        arguments=(
            path_option("--dir", help="where to (default: ./mlops-ci-demo); an earlier demo there is replaced"),
        ),
    ),
    Command(
        name="init",
        help="start a repository from a template",
        run=init,
        arguments=(
            option("kind", metavar="KIND", help=f"one of {', '.join(templates.kinds())}"),
            option("destination", metavar="DEST", type=Path, help="a new folder, or one of a Git repository"),
            option("--defaults", action="store_true", help="take every default, ask nothing"),
            answer_option(),
        ),
    ),
)
