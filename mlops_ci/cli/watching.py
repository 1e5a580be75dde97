"""`monitor` and `retrain`: what newer data say about a model, and a model trained on them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.command import Outcome
from mlops_ci.cli.context import Context
from mlops_ci.cli.delivery import newest_release
from mlops_ci.cli.judging import ModelRun
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE, Release
from mlops_ci.core.signature import Signature
from mlops_ci.errors import ConfigurationError, DataGateError
from mlops_ci.pipeline.canonical import canonical_columns, canonical_target, canonical_times
from mlops_ci.pipeline.dataset import prepare
from mlops_ci.pipeline.monitor import Actuals, MonitorResult, monitor
from mlops_ci.pipeline.retrain import retrain_branch, too_soon

if TYPE_CHECKING:
    from pandas import DataFrame


def monitor_model(context: Context, config: ModelConfig, source: str | None) -> Outcome:
    """Compares newer data with the reference profile of what serves, and puts an alarm on record."""
    release = newest_release(context, config)
    signature = Signature.from_json(context.registry.get_json(release.files[SIGNATURE_FILE]))
    frame = context.data.read(source or config.data.source, context.directory if source else config.root)
    with context.user_code.session(config.root):
        frame = prepare(frame, config, context.user_code)
    missing = [column.name for column in signature.inputs if column.name not in frame.columns]
    if missing:
        raise DataGateError(
            f"columns that the model reads are missing: {', '.join(missing)}", where=source or config.data.source
        )
    time = config.data.time
    result = monitor(
        context.registry.get_json(release.evidence["profile"]),
        canonical_columns(frame, signature.inputs),
        canonical_times(frame[time]) if time and time in frame.columns else None,
        config.monitor,
        actuals=_actuals(context, config, release, signature, frame),
    )
    if result.alarm:
        _record_drift(context, config, release, result)
    value = {"model": config.model, "release": release.id, "version": release.version, **result.to_json()}
    text = f"{config.model} version {release.version}: {result.sentence()}"
    return Outcome(value=value, text="\n".join([text, *(f"  {note}" for note in result.notes)]))


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


def _actuals(
    context: Context, config: ModelConfig, release: Release, signature: Signature, frame: DataFrame
) -> Actuals | None:
    """What came true, where the data have the target already."""
    if config.data.target not in frame.columns:
        return None
    known = frame[config.data.target].notna().to_numpy()
    if not known.any():
        return None
    import numpy as np

    target, _ = canonical_target(frame.loc[known, config.data.target], config.task)
    truth = np.zeros(len(frame), dtype=target.dtype)
    truth[known] = target
    evaluation = context.registry.get_json(release.evidence["evaluation"])
    metric = config.gate.primary.metric
    model = context.runtime.load(context.registry.get_blob(release.files[MODEL_FILE]), signature)
    return Actuals(
        truth=truth,
        known=known,
        predictions=model.predict(canonical_columns(frame, signature.inputs)),
        signature=signature,
        metric=metric,
        reference=evaluation["metrics"][metric]["challenger"],
        reference_rows=evaluation["primary"]["rows"],
        margin=config.gate.primary.margin,
    )


def _record_drift(context: Context, config: ModelConfig, release: Release, result: MonitorResult) -> None:
    """An event, once for the same finding: data that are looked at again say nothing new."""
    evidence = context.registry.put_json({"release": release.id, "result": result.to_json()})
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
