"""Prints a command's outcome: JSON or text on stdout; in GitHub Actions outputs, annotations and job summary too."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_ci.adapters.environment import Environment
from mlops_ci.cli.command import Outcome
from mlops_ci.core.verdicts import number
from mlops_ci.errors import MlopsError, Problem

_PLACE = re.compile(r"(?P<file>\S+?)(?::| line )(?P<line>\d+)")


def error_value(error: MlopsError) -> dict[str, Any]:
    """A known error as `--json` answers it."""
    details = {
        "kind": type(error).__name__,
        "where": error.where,
        "what": error.what,
        "fix": error.fix,
        "problems": [problem.to_json() for problem in error.problems],
    }
    return {"error": details, "exit_code": error.exit_code}


def error_outcome(error: MlopsError) -> Outcome:
    """A known error as an outcome: nothing is left to be said on stdout but its JSON."""
    own = Problem(where=error.where, what=error.what, fix=error.fix)
    return Outcome(
        value=error_value(error),
        text="",
        code=error.exit_code,
        summary=f"### mlops-ci failed (exit {error.exit_code})\n\n{fenced(str(error))}",
        problems=error.problems or (own,),
    )


def show_error(error: MlopsError) -> None:
    print(f"error: {error}", file=sys.stderr, flush=True)


def show_outcome(outcome: Outcome, *, as_json: bool, environment: Environment) -> None:
    """Tells GitHub Actions first, since whoever reads stdout may have stopped reading. Raises OSError."""
    if environment.in_actions:
        for problem in outcome.problems:
            print(annotation(problem), file=sys.stderr, flush=True)
    if environment.step_output:
        _append(environment.step_output, step_outputs(outcome.value))
    summary = outcome.summary or (fenced(outcome.text) if outcome.text else "")
    if environment.step_summary and summary:
        _append(environment.step_summary, summary)
    text = json_text(outcome.value, indent=2) if as_json else outcome.text
    if text:
        # A file's name need not be valid text. Escaped as \udcXX it is still JSON, and no reason to say nothing at all.
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()


def json_text(value: Any, *, indent: int | None = None) -> str:
    """The value as JSON, in which what is not a finite number is null: JSON has no word for it."""
    return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=indent)


def annotation(problem: Problem) -> str:
    """The workflow command that marks a problem in the changed file.

    >>> annotation(Problem(where="mlops.yaml:3", what="unknown key"))
    '::error file=mlops.yaml,line=3::unknown key'
    >>> annotation(Problem(where="data.csv column age", what="has no value at all", fix="fill it"))
    '::error::data.csv column age: has no value at all. fill it'
    """
    found = _PLACE.fullmatch(problem.where)
    place = f" file={_escape(found['file'])},line={found['line']}" if found else ""
    what = problem.what if found or not problem.where else f"{problem.where}: {problem.what}"
    message = f"{what}. {problem.fix}" if problem.fix else what
    return f"::error{place}::{message.replace('%', '%25').replace(chr(13), '%0D').replace(chr(10), '%0A')}"


def step_outputs(value: Mapping[str, Any]) -> str:
    """Each top-level value in the form of a GitHub output file, between delimiters that no value can guess."""
    lines = []
    for key, item in value.items():
        text = item if isinstance(item, str) else json_text(item)
        mark = f"mlops_{secrets.token_hex(8)}"
        lines.append(f"{key}<<{mark}\n{text}\n{mark}")
    return "\n".join(lines)


def fenced(text: str) -> str:
    """A block of Markdown that shows the text as it is, whatever marks are in it.

    >>> fenced("a ``` b")
    '````text\\na ``` b\\n````'
    """
    longest = max((len(marks) for marks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value


def _escape(value: str) -> str:
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        value = value.replace(character, code)
    return value


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text + "\n")
