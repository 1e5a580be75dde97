"""`admit` and `publish-report`: what jobs with rights make of what the job of a pull request handed over."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, option
from mlops_ci.errors import ConfigurationError, IntegrityError, Problem

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.config.types import ModelConfig
    from mlops_ci.pipeline.handover import Admission

_SHOWN = 50


def admit(arguments: argparse.Namespace, context: Context) -> Outcome:
    """Proves and keeps what was handed over; exit 16 where something was refused."""
    from mlops_ci.adapters.data_files import LocalDataFiles
    from mlops_ci.adapters.graph_check import ChildProcessCheck
    from mlops_ci.adapters.handed_over import ArtifactFolder
    from mlops_ci.cli.events import require_own_code
    from mlops_ci.pipeline.desired_state import read_desired
    from mlops_ci.pipeline.handover import Admission, Admitting

    _require_apart(context.directory)
    require_own_code(context, arguments.run_id)
    repository = context.repository_if_any

    def has_champion(config: ModelConfig) -> bool:
        return (
            repository is not None and read_desired(repository, config.environments[-1].name, config.model) is not None
        )

    admitting = Admitting(
        data=LocalDataFiles(context.environment.store_options, own_endpoints=False),
        user_code=context.user_code,
        installed=context.installed,
        registry=context.registry,
        graphs=ChildProcessCheck(),
        clock=context.clock,
        console=context.console,
        commit=(repository.commit() or "") if repository else "",
        has_champion=has_champion,
    )
    models, folder = _asked(arguments, context), context.directory / arguments.folder
    # what the job found in the store it did not hand over, and a folder without a file is no artifact
    admission = admitting.admit(ArtifactFolder(folder), models, context.config) if folder.is_dir() else Admission()
    seen = {model for model, _ in (*admission.admitted, *admission.refused, *admission.left)}
    if not arguments.all:
        admission.left.extend((model, "nothing was handed over") for model in models if model not in seen)
    return Outcome(
        value=admission.to_json(),
        text="\n".join(_lines(admission)),
        code=IntegrityError.exit_code if admission.refused else 0,
        problems=[Problem(where=model, what=reason) for model, reason in admission.refused[:_SHOWN]],
    )


def publish_report(arguments: argparse.Namespace, context: Context) -> Outcome:
    """Shows what the job of a pull request found, on that pull request alone; exit 16 where some of it was refused."""
    from mlops_ci.adapters.handed_over import ArtifactFolder
    from mlops_ci.cli.events import finished_run
    from mlops_ci.pipeline.pull_request_report import Found, Published, publish, read_reports

    publisher = context.publisher
    if publisher is None:
        raise ConfigurationError("there is nobody to show a report to", fix="run it on GitHub, in `on: workflow_run`")
    run, folder = finished_run(context, arguments.run_id), context.directory / arguments.folder
    # no job of the run had anything to hand over: then nothing was downloaded either
    found = read_reports(ArtifactFolder(folder)) if folder.is_dir() else Found(evaluations=(), refused=())
    shown = publish(run, found, forge=context.forge, publisher=publisher) if run else Published(outcome="outdated")
    pull = shown.pull_request
    texts = {
        "published": f"shown on pull request {pull.number if pull else ''}: {shown.comment}",
        "outdated": "not shown: no open pull request has this run's commit as its head (any more)",
        "nothing": "the run handed over no evaluation, so there is nothing to show",
    }
    value = {
        "outcome": shown.outcome,
        "pull_request": pull.number if pull else None,
        "comment": shown.comment or None,
        "check": shown.check or None,
        "models": [evaluation["model"] for evaluation in found.evaluations],
        "refused": [{"file": file, "reason": reason} for file, reason in found.refused],
    }
    return Outcome(
        value=value,
        text="\n".join([texts[shown.outcome], *(f"REFUSED {file}: {why}" for file, why in found.refused[:_SHOWN])]),
        code=IntegrityError.exit_code if found.refused else 0,
        summary=shown.body or texts[shown.outcome],
        problems=[Problem(where=file, what=why) for file, why in found.refused[:_SHOWN]],
    )


def _asked(arguments: argparse.Namespace, context: Context) -> Sequence[str]:
    if arguments.models and not arguments.all:
        return list(dict.fromkeys(arguments.models))
    declared = context.models()
    if len(declared) != 1 and not arguments.all:
        raise ConfigurationError(f"there are {len(declared)} models here", fix="name those that were trained, or --all")
    return declared


def _require_apart(checkout: Path) -> None:
    """Raises ConfigurationError where Python looks for modules in the checkout: then this process runs its code."""
    own = Path(sys.prefix).resolve()
    for entry in sys.path:
        place = Path(entry).resolve()
        if place.is_relative_to(checkout) and not (place.is_relative_to(own) and own.is_relative_to(checkout)):
            raise ConfigurationError(
                f"Python looks for modules in {place}, so code of the checkout would run here",
                fix="run the installed command `mlops-ci` (not `python -m`), without PYTHONPATH",
            )


def _lines(admission: Admission) -> list[str]:
    """At most some of each kind, for people; `--json` has all.

    No line begins with a word of the artifact's, since a runner of Actions obeys lines that begin with `::`.
    """
    lines = [f"admitted {model}: lock {lock[:12]} is in the store now" for model, lock in admission.admitted[:_SHOWN]]
    lines += [f"left {model}: {reason}" for model, reason in admission.left[:_SHOWN]]
    lines += [f"REFUSED {model or 'in the artifact'}: {reason}" for model, reason in admission.refused[:_SHOWN]]
    return lines or ["nothing was handed over"]


COMMANDS = (
    Command(
        name="admit",
        help="take what another job trained into the store, as far as it can be proved",
        run=admit,
        arguments=(
            option("folder", metavar="DIR", help="the outbox that the job wrote (`ci --outbox`)"),
            option("models", nargs="*", metavar="MODEL", help="may be left out where there is only one"),
            option("--all", action="store_true", help="every model of the repository"),
            option(
                "--run",
                dest="run_id",
                default="",
                metavar="ID",
                help="the run that handed it over; of it the forge tells whose code it was, and of which commit",
            ),
        ),
    ),
    Command(
        name="publish-report",
        help="show on a pull request what its own run found, without believing it",
        run=publish_report,
        arguments=(
            option("folder", metavar="DIR", help="the evaluations that the run wrote (`ci --reports`)"),
            option("--run", dest="run_id", required=True, metavar="ID", help="the run that started this workflow"),
        ),
    ),
)
