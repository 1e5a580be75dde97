"""`monitor` and `retrain`: what newer data say about a model, and a model trained on them."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_ci.adapters.request_log import entries_at, is_log
from mlops_ci.cli.alarms import publisher_for_issues, tell_alarm
from mlops_ci.cli.command import Outcome
from mlops_ci.cli.context import Context
from mlops_ci.cli.delivery import chosen_release, named_environment, require_kept_store
from mlops_ci.cli.judging import ModelRun
from mlops_ci.cli.proposing import PULL_REQUEST_WORKFLOW, propose_files
from mlops_ci.cli.publishing import require_on_main
from mlops_ci.cli.watched import log_as_watched, table_as_watched
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.monitor import MonitorResult, monitor
from mlops_ci.pipeline.retrain import retrain_branch, taken_over, too_soon


def monitor_model(context: Context, config: ModelConfig, arguments: argparse.Namespace) -> Outcome:
    """Compares newer data, or what users sent, with the reference profile of a release; an alarm goes on record.

    Newer data are a table, `data.source` where no other is named; what users sent is in the prediction logs of an
    environment, or in the log that is named in place of a table.
    """
    require_kept_store(context)
    source, environment = arguments.input, arguments.environment
    if arguments.issue:
        publisher_for_issues(context)  # before anybody waits for the answer
    if environment and source:
        raise ConfigurationError("--environment has its own prediction logs", fix="leave out --input")
    place = named_environment(config, environment) if environment else None
    release = chosen_release(context, config, arguments, serving_in=environment)
    entries = None
    if place is not None:
        target = context.target(config, place)
        entries = target.logged_requests(environment, config.model)
    elif source and is_log(source):
        entries = entries_at(source, context.directory)
    if entries is not None:
        watched = log_as_watched(context, config, release, entries, arguments.actuals)
    elif arguments.actuals:
        fix = "name the log by --input or --environment; a table has the target in a column of its own"
        raise ConfigurationError("--actuals belong to a prediction log, and there is none", fix=fix)
    else:
        watched = table_as_watched(context, config, release, source)
    result = monitor(
        context.registry.get_json(release.evidence["profile"]),
        watched.columns,
        watched.times,
        config.monitor,
        actuals=watched.actuals,
        unwatched=watched.unwatched,
    )
    if result.alarm:
        _record_drift(context, config, release, result, environment)
    notes = (*watched.notes, *result.notes)
    text = "\n".join(
        [f"{config.model} version {release.version}: {result.sentence()}", *(f"  {note}" for note in notes)]
    )
    issue = tell_alarm(context, release, environment, result) if arguments.issue else None
    value = {
        "model": config.model,
        "release": release.id,
        "version": release.version,
        **result.to_json(),
        "notes": notes,
        "environment": environment,
        "log": watched.log.to_json() if watched.log else None,
        "issue": issue,
    }
    return Outcome(value=value, text=text + (f"\n  {issue}" if issue else ""))


def retrain_model(
    context: Context, config: ModelConfig, *, data: Sequence[Path], reason: str, dispatch: str = PULL_REQUEST_WORKFLOW
) -> Outcome:
    """Trains what main says on newer data, in a work tree of its own, and proposes the result with its evidence.

    On a forge that is what is checked out, which has to be a commit that main has.
    """
    require_kept_store(context)
    repository, now = context.repository, context.clock.now()
    if context.on_forge:
        require_on_main(context)
    onto = repository.commit("HEAD" if context.on_forge else repository.main) or ""
    branch, state = retrain_branch(config.model), context.log.state(config.model)
    wait = too_soon(state, reason=reason, cooldown=config.retrain.cooldown, now=now)
    wait = wait or taken_over(state, context.forge.open_pull_request(branch))
    if wait:
        return _nothing(config, wait)
    place = config.root.relative_to(context.directory)
    with repository.checked_out(onto) as folder:
        files = _add_data(folder / place, config, data)
        there = context.in_directory(folder)
        run = ModelRun(there, there.config(config.model), main=context.shared_repository)
        if run.champion is not None and run.champion.lock == run.trained.lock:
            return _nothing(config, "the champion was trained on these very data")
        _ = run.exported
        evaluation = run.evaluated
        body = _report(evaluation.value)
        contents = {str(place / path): (folder / place / path).read_bytes() for path in files}
    pull = None
    if contents:
        title = f"Retrain {config.model}: {reason}"
        pull = propose_files(context, contents, branch=branch, onto=onto, title=title, body=body, dispatch=dispatch)
    context.log.record(
        config.model,
        "retrain-opened",
        {
            "pull_request": pull.number if pull else None,
            "reason": reason,
            "lock": run.trained.lock,
            "head": pull.head if pull else None,
        },
        actor=context.actor,
        evidence=[evaluation.digest],
    )
    judgement = evaluation.judgement
    value = {
        "model": config.model,
        "outcome": "proposed" if pull else "trained",
        "reason": reason,
        "pull_request": pull.number if pull else None,
        "branch": branch if pull else None,
        "lock": run.trained.lock,
        "evaluation": evaluation.value,
    }
    where = f"pull request {pull.number} ({branch})" if pull else "nothing to propose: main has these data already"
    text = f"{config.model}: {where}; {judgement.verdict}" + "".join(f"\n  {reason}" for reason in judgement.reasons)
    return Outcome(value=value, text=text, summary=body)


def _record_drift(
    context: Context, config: ModelConfig, release: Release, result: MonitorResult, environment: str | None
) -> None:
    """An event, once for the same finding: data that are looked at again say nothing new."""
    seen_in = {"environment": environment} if environment else {}
    evidence = context.registry.put_json({"release": release.id, **seen_in, "result": result.to_json()})
    last = context.log.state(config.model).latest.get("drift-detected")
    if last is not None and evidence in last.evidence:
        return
    subject = {
        "release": release.id,
        "windows": [{"start": window.start, "rows": window.rows} for window in result.windows if window.drifted],
        "features": [feature.name for feature in result.features if feature.alarm],
    }
    context.log.record(config.model, "drift-detected", subject, actor=context.actor, evidence=[evidence])


def _add_data(root: Path, config: ModelConfig, data: Sequence[Path]) -> list[str]:
    """Puts the files beside those of `data.source`; their paths, relative to the model's folder."""
    folder = Path(config.data.source).parent
    added = []
    for path in data:
        if not path.is_file():
            raise ConfigurationError(f"there is no file {path}", fix="name the newer data with --data")
        if not (folder / path.name).match(config.data.source):
            raise ConfigurationError(
                f"{path.name} would not be read: data.source is {config.data.source}", where="mlops.yaml",
                fix="name the file so that it matches, or make data.source a pattern",
            )  # fmt: skip
        shutil.copyfile(path, root / folder / path.name)
        added.append(str(folder / path.name))
    return added


def _report(evaluation: Any) -> str:
    from mlops_ci.pipeline.report import render_comment

    return render_comment([evaluation], title="Retraining")


def _nothing(config: ModelConfig, why: str) -> Outcome:
    value = {"model": config.model, "outcome": "nothing", "reason": why, "pull_request": None, "evaluation": None}
    return Outcome(value=value, text=f"{config.model}: no retraining: {why}")
