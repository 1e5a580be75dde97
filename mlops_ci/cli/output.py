"""Prints a command's outcome: JSON or text on stdout; in GitHub Actions step outputs, annotations and the job summary."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from typing import Any

from mlops_ci.adapters.environment import Environment
from mlops_ci.cli.command import Outcome
from mlops_ci.errors import MlopsError, Problem


def error_outcome(error: MlopsError) -> Outcome:
    """A known error as the outcome that `--json` answers."""
    problems = [{"where": problem.where, "what": problem.what, "fix": problem.fix} for problem in error.problems]
    details = {
        "kind": type(error).__name__,
        "where": error.where,
        "what": error.what,
        "fix": error.fix,
        "problems": problems,
    }
    return Outcome(value={"error": details, "exit_code": error.exit_code}, text="", code=error.exit_code)


def show_outcome(outcome: Outcome, *, as_json: bool, environment: Environment) -> None:
    if as_json:
        json.dump(outcome.value, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
        sys.stdout.write("\n")
    elif outcome.text:
        print(outcome.text)
    sys.stdout.flush()
    if environment.step_output:
        _append(environment.step_output, step_outputs(outcome.value))
    if environment.step_summary and (outcome.summary or outcome.text):
        _append(environment.step_summary, outcome.summary or f"```text\n{outcome.text.replace('```', '``​`')}\n```")


def show_error(error: MlopsError, environment: Environment) -> None:
    """The error on stderr, each finding as an annotation where GitHub Actions reads them."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    if environment.in_actions:
        for problem in error.problems or [Problem(where=error.where, what=error.what, fix=error.fix)]:
            print(annotation(problem), file=sys.stderr, flush=True)
    if environment.step_summary:
        _append(environment.step_summary, f"### mlops-ci failed (exit {error.exit_code})\n\n```text\n{error}\n```")


def annotation(problem: Problem) -> str:
    """The workflow command that marks a problem in the changed file.

    >>> annotation(Problem(where="mlops.yaml:3", what="unknown key"))
    '::error file=mlops.yaml,line=3::unknown key'
    """
    file, _, line = problem.where.rpartition(":")
    place = f" file={_escape(file)},line={line}" if file and line.isdigit() else ""
    message = f"{problem.what}. {problem.fix}" if problem.fix else problem.what
    return f"::error{place}::{message.replace('%', '%25').replace(chr(13), '%0D').replace(chr(10), '%0A')}"


def step_outputs(value: Mapping[str, Any]) -> str:
    """Each top-level value in the form of a GitHub output file, between delimiters that no value can guess."""
    lines = []
    for key, item in value.items():
        text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
        mark = f"mlops_{secrets.token_hex(8)}"
        lines.append(f"{key}<<{mark}\n{text}\n{mark}")
    return "\n".join(lines)


def _escape(value: str) -> str:
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        value = value.replace(character, code)
    return value


def _append(path: Any, text: str) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text + "\n")
