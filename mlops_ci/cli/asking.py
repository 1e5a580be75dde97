"""Commands that only ask: status, history, why, verify-log."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.command import Command, Outcome, environment_argument, model_argument, option
from mlops_ci.errors import ConfigurationError, IntegrityError, Problem

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context


def status(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.delivery import site_of
    from mlops_ci.pipeline.status import status as status_of

    names = [arguments.model] if arguments.model else context.models()
    rows = []
    for name in names:
        config = context.config(name)
        rows += [status_of(site_of(context, config, environment.name)) for environment in config.environments]
    lines = [f"{'model':20} {'environment':14} {'version':>7}  {'release':12}  {'healthy':7}  url"]
    for row in rows:
        release, version = (row.release or "-")[:12], "-" if row.version is None else str(row.version)
        healthy = "-" if row.release is None else "yes" if row.healthy else "NO"
        lines.append(f"{row.model:20} {row.environment:14} {version:>7}  {release:12}  {healthy:7}  {row.url or '-'}")
        if row.hold:
            lines.append(f"{'':20} on hold: {row.hold}")
        if row.trouble:
            lines.append(f"{'':20} {row.trouble}")
        if not row.settled:
            lines.append(f"{'':20} Git wants {(row.desired or 'nothing')[:12]}: mlops-ci reconcile {row.model}")
    return Outcome(value={"environments": [row.to_json() for row in rows]}, text="\n".join(lines))


def history(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.pipeline.history import history as history_of

    config = context.config(arguments.model)
    entries = history_of(context.log, config.model)
    lines = [f"{entry['number']:>5}  {entry['time'][:19]}Z  {entry['actor']:16}  {entry['text']}" for entry in entries]
    return Outcome(
        value={"model": config.model, "events": entries},
        text="\n".join(lines) or f"nothing has happened to {config.model} yet",
    )


def why(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.pipeline.history import why as why_of

    config = context.config(arguments.model)
    environment = arguments.environment or config.environments[-1].name
    answer = why_of(context.log, context.registry, config.model, environment, _moment(arguments.at)).to_json()
    lines = [
        f"{name.replace('_', ' ') + ':':14} {_shown(item)}" for name, item in answer.items() if item not in (None, "")
    ]
    return Outcome(value={"model": config.model, **answer}, text="\n".join(lines))


def verify_log(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.core.chain import anchors_in

    models = [arguments.model] if arguments.model else sorted({*context.log.models(), *context.models()})
    repository = context.repository_if_any
    problems: list[Problem] = []
    results: list[dict[str, Any]] = []
    for model in models:
        messages = repository.messages_of(f"environments/*/{model}.yaml") if repository else ""
        verification = context.log.verify(model, anchors=anchors_in(messages))
        problems += verification.problems
        head = verification.head
        results.append(
            {
                "model": model,
                "events": verification.events,
                "head": head.digest if head else None,
                "anchors": len(anchors_in(messages)),
                "ok": not verification.problems,
                "problems": [problem.to_json() for problem in verification.problems],
            }
        )
    lines = [
        f"{result['model']}: {result['events']} events, {result['anchors']} vouched for by Git: "
        f"{'as they were written' if result['ok'] else 'NOT AS THEY WERE WRITTEN'}"
        for result in results
    ]
    lines += [f"  {problem}" for problem in problems]
    return Outcome(
        value={"ok": not problems, "models": results},
        text="\n".join(lines) or "there is no log yet",
        code=IntegrityError.exit_code if problems else 0,
    )


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--at {text}: is no time", fix="for example 2026-11-21T14:30 (UTC) or 2026-11-21"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown(item: Any) -> str:
    return ", ".join(map(str, item)) or "-" if isinstance(item, list) else str(item)


COMMANDS = (
    Command(
        name="status", help="say what serves where, and whether it is well", run=status, arguments=(model_argument,)
    ),
    Command(name="history", help="tell what happened to a model", run=history, arguments=(model_argument,)),
    Command(
        name="why",
        help="say who put what into an environment, on which evidence, now or at a time in the past",
        run=why,
        arguments=(
            model_argument,
            environment_argument,
            option("--at", metavar="TIME", help="ISO 8601; UTC where it names no zone"),
        ),
    ),
    Command(name="verify-log", help="prove that nobody edited the log", run=verify_log, arguments=(model_argument,)),
)
