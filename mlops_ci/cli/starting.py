"""`init` and `demo`: the first two commands that anybody runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.adapters import templates
from mlops_ci.cli.command import Command, Outcome, option, path_option
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context


def init(arguments: argparse.Namespace, context: Context) -> Outcome:
    template = templates.load(arguments.kind)
    answers = dict(_pair(text) for text in arguments.answer)
    if not arguments.defaults and sys.stdin.isatty():
        answers = _ask(template, answers)
    destination = context.directory / arguments.destination
    files = templates.render(template, answers, destination)
    text = (
        f"{len(files)} files in {destination}\n\nnext:\n  cd {arguments.destination}\n"
        "  git init -b main && git add . && git commit -m 'a model to release'\n  mlops-ci ci"
    )
    value = {"kind": template.kind, "destination": str(destination), "files": files}
    return Outcome(value=value, text=text)


def demo(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.demo import run_demo

    return run_demo(context.directory / (arguments.dir or Path("mlops-ci-demo")), context)


def _pair(text: str) -> tuple[str, str]:
    name, separator, answer = text.partition("=")
    if not separator:
        raise ConfigurationError(f"--answer {text}: has no =", fix="write --answer question=answer")
    return name, answer


def _ask(template: templates.Template, given: dict[str, str]) -> dict[str, str]:
    answers = dict(given)
    for question in template.questions:
        while question.name not in answers:
            print(f"{question.prompt} [{question.default}]: ", end="", file=sys.stderr, flush=True)
            answer = sys.stdin.readline().strip() or question.default
            problem = question.problem_with(answer)
            if problem is None:
                answers[question.name] = answer
            else:
                print(problem, file=sys.stderr)
    return answers


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
            option("kind", metavar="KIND", help="for example tabular-classification"),
            option("destination", metavar="DEST", type=Path, help="the new folder"),
            option("--defaults", action="store_true", help="take every default, ask nothing"),
            option("--answer", action="append", default=[], metavar="QUESTION=ANSWER", help="answer one question"),
        ),
    ),
)
