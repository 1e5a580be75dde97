"""`monitor` and `retrain`: what newer data say about a model, and a model trained on them."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_ci.adapters.request_log import entries_at, is_log
from mlops_ci.cli.command import Outcome
from mlops_ci.cli.context import Context
from mlops_ci.cli.delivery import chosen_release, named_environment
from mlops_ci.cli.judging import ModelRun
from mlops_ci.cli.watched import log_as_watched, table_as_watched
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.monitor import MonitorResult, monitor
from mlops_ci.pipeline.retrain import retrain_branch, too_soon


def monitor_model(context: Context, config: ModelConfig, arguments: argparse.Namespace) -> Outcome:
    """Compares newer data, or what users sent, with the reference profile of a release; an alarm goes on record.

    Newer data are a table, `data.source` where no other is named; what users sent is in the prediction logs of an
    environment, or in the log that is named in place of a table.
    """
    source, environment = arguments.input, arguments.environment
    if environment and source:
        raise ConfigurationError("--environment has its own prediction logs", fix="leave out --input")
    place = named_environment(config, environment) if environment else None
    release = chosen_release(context, config, arguments, serving_in=environment)
    entries = None
    if place is not None:
        target = context.target(place, config.serving)
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
    value = {
        "model": config.model,
        "release": release.id,
        "version": release.version,
        **result.to_json(),
        "notes": notes,
        "environment": environment,
        "log": watched.log.to_json() if watched.log else None,
    }
    text = f"{config.model} version {release.version}: {result.sentence()}"
    return Outcome(value=value, text="\n".join([text, *(f"  {note}" for note in notes)]))


def retrain_model(context: Context, config: ModelConfig, *, data: Sequence[Path], reason: str) -> Outcome:
    """Trains what main says on newer data, in a work tree of its own, and proposes the result with its evidence."""
    repository, now = context.repository, context.clock.now()
    wait = too_soon(context.log.state(config.model), reason=reason, cooldown=config.retrain.cooldown, now=now)
    if wait:
        return _nothing(config, wait)
    branch = retrain_branch(config.model)
    place = config.root.relative_to(context.directory)
    with repository.checked_out(repository.main) as folder:
        files = _add_data(folder / place, config, data)
        run = ModelRun(context.in_directory(folder), context.in_directory(folder).config(config.model))
        if run.champion is not None and run.champion.lock == run.trained.lock:
            return _nothing(config, "the champion was trained on these very data")
        _ = run.exported
        evaluation = run.evaluated
        body = _report(evaluation.value)
        contents = {str(place / path): (folder / place / path).read_bytes() for path in files}
    pull = None
    if contents:
        message = f"Retrain {config.model}: {reason}"
        onto = repository.commit(repository.main) or ""
        repository.commit_files(contents, branch=branch, onto=onto, message=message, replace=True)
        pull = context.forge.propose(branch=branch, base=repository.main, title=message, body=body)
    context.log.record(
        config.model,
        "retrain-opened",
        {"pull_request": pull.number if pull else None, "reason": reason, "lock": run.trained.lock},
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
    from mlops_ci.pipeline.report import render

    return render([evaluation], title="Retraining").markdown


def _nothing(config: ModelConfig, why: str) -> Outcome:
    value = {"model": config.model, "outcome": "nothing", "reason": why, "pull_request": None, "evaluation": None}
    return Outcome(value=value, text=f"{config.model}: no retraining: {why}")
