"""`verify-log`: is every event as it was written, by whom it had to be?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.command import Command, Outcome, model_argument, path_option
from mlops_ci.core.chain import anchors_in
from mlops_ci.errors import IntegrityError, Problem

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.pipeline.event_log import Verification


def verify_log(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.adapters.git_history import require_history
    from mlops_ci.adapters.signing_keys import read_public_key

    given: Path | None = arguments.public_key
    key = read_public_key(context.directory / given, where="--public-key") if given else None
    models = [arguments.model] if arguments.model else sorted({*context.log.models(), *context.models()})
    repository = context.repository_if_any
    if repository is not None:
        require_history(repository)
    problems: list[Problem] = []
    results: list[dict[str, Any]] = []
    lines: list[str] = []
    for model in models:
        messages = repository.messages_of(f"environments/*/{model}.yaml") if repository else ""
        anchors = anchors_in(messages, model)
        verification = context.log.verify(model, anchors=anchors, public_key=key)
        problems += verification.problems
        results.append(_result(verification, len(anchors)))
        lines.append(_line(verification, len(anchors)))
        lines += [f"  {warning}" for warning in verification.warnings]
    lines += [f"  {problem}" for problem in problems]
    return Outcome(
        value={"ok": not problems, "models": results},
        text="\n".join(lines) or "there is no log yet",
        code=IntegrityError.exit_code if problems else 0,
    )


def _result(verification: Verification, anchors: int) -> dict[str, Any]:
    return {
        "model": verification.model,
        "events": verification.events,
        "head": verification.head.digest if verification.head else None,
        "anchors": anchors,
        "signed": verification.signed,
        "public_key": verification.public_key,
        "ok": not verification.problems,
        "problems": [problem.to_json() for problem in verification.problems],
        "warnings": [warning.to_json() for warning in verification.warnings],
    }


def _line(verification: Verification, anchors: int) -> str:
    said = [f"{verification.events} events", f"{anchors} vouched for by Git"]
    if verification.signed:
        by = f"by {verification.public_key[:12]}" if verification.public_key else "by whom was not checked"
        said.append(f"{verification.signed} signed, {by}")
    verdict = "NOT AS THEY WERE WRITTEN" if verification.problems else "as they were written"
    return f"{verification.model}: {', '.join(said)}: {verdict}"


COMMANDS = (
    Command(
        name="verify-log",
        help="prove that nobody edited the log",
        run=verify_log,
        arguments=(
            model_argument,
            path_option("--public-key", help="who has to have signed it (default: log.public_key)"),
        ),
    ),
)
