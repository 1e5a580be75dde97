"""The steps of a pull request: check, train, export, evaluate, report; and `ci`, which runs them in order."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.command import Command, Outcome, model_argument, option
from mlops_ci.cli.outbox import write_aside, write_evaluations
from mlops_ci.cli.output import error_outcome, show_error
from mlops_ci.cli.tracking import track
from mlops_ci.errors import DataGateError, MlopsError, ModelGateBlocked, ParityError, Problem

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.cli.judging import ModelRun


def check(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _check(_run(arguments, context))


def train(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _train(_run(arguments, context))


def export(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _export(_run(arguments, context))


def evaluate(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _evaluate(_run(arguments, context))


def report(arguments: argparse.Namespace, context: Context) -> Outcome:
    run = _run(arguments, context)
    written = _write_reports([run.evaluated.value], run.folder)
    value = {
        "model": run.config.model,
        "markdown": str(written.markdown),
        "html": str(written.html),
        "verdict": run.evaluated.judgement.verdict,
    }
    return Outcome(value=value, text=f"{written.markdown}\n{written.html}", summary=written.text)


def ci(arguments: argparse.Namespace, context: Context) -> Outcome:
    """All steps of one model or more; the exit code is that of the first that failed, once all have been tried."""
    names = arguments.models or (context.models() if arguments.all else [None])
    if len(names) == 1:
        names = [context.config(names[0]).model]  # without its configuration there is nothing to report on
    write_aside(context, arguments.outbox, limits_only=arguments.limits_only)
    results = [_attempt(context, name, limits_only=arguments.limits_only) for name in names]
    value: dict[str, Any] = {"models": [result.value for result in results]} if len(names) > 1 else results[0].value
    reported = [result.reported() for result in results]
    folder = context.directory / arguments.reports if arguments.reports else context.work / "reports"
    written = _write_reports(reported, folder)
    if arguments.reports:
        write_evaluations(reported, folder)
    value = {**value, "report": {"markdown": str(written.markdown), "html": str(written.html)}}
    track(context, [result.evaluation for result in results if result.evaluation], [written.markdown, written.html])
    return Outcome(
        value=value,
        text="\n".join([*(result.text for result in results), f"report: {written.html}"]),
        code=next((result.code for result in results if result.code), 0),
        summary=written.text,
        problems=[problem for result in results for problem in result.problems],
    )


@dataclass(kw_only=True)
class _Result:
    """What `ci` found for one model."""

    value: dict[str, Any]
    evaluation: Mapping[str, Any] | None = None
    text: str = ""
    code: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, step: str, outcome: Outcome) -> None:
        """What the step answered; the first that fails gives its name and its exit code to the whole."""
        self.value |= outcome.value if step == "evaluate" else {step: outcome.value}
        self.text += f"{outcome.text}\n"
        self.problems += outcome.problems
        if outcome.code and not self.code:
            self.value["failed"], self.code = step, outcome.code

    def reported(self) -> Mapping[str, Any]:
        """What the report shows of this model: the evaluation, or what kept it from being made."""
        if self.evaluation:
            return self.evaluation
        problems = [problem.to_json() for problem in self.problems]
        return {"model": self.value["model"], "failed": self.value["failed"], "data": {"problems": problems}}


def _pull_request(context: Context, name: str, *, limits_only: bool) -> _Result:
    """The steps in order. A model that cannot be exported is still judged: its verdict is `parity`."""
    from mlops_ci.cli.judging import ModelRun

    run = ModelRun(context, context.config(name), limits_only=limits_only)
    result = _Result(value={"model": run.config.model, "failed": None})
    result.add("check", _check(run))
    if result.code:
        return result
    for step, answer in (("train", _train), ("export", _export), ("evaluate", _evaluate)):
        result.add(step, answer(run))
    result.evaluation = run.evaluated.value
    return result


def _attempt(context: Context, name: str, *, limits_only: bool) -> _Result:
    """Like `_pull_request`, but an error of one model keeps no other from being judged."""
    try:
        return _pull_request(context, name, limits_only=limits_only)
    except MlopsError as error:
        show_error(error)
        outcome = error_outcome(error)
        value = {"model": name, "failed": "error", **outcome.value}
        return _Result(value=value, text=f"{name}: {error}\n", code=outcome.code, problems=list(outcome.problems))


def _run(arguments: argparse.Namespace, context: Context) -> ModelRun:
    from mlops_ci.cli.judging import ModelRun

    write_aside(context)
    return ModelRun(context, context.config(arguments.model))


def _check(run: ModelRun) -> Outcome:
    result = run.checked
    lines = [f"{result.model}: {result.rows} rows, data {'fit to train on' if result.ok else 'NOT fit to train on'}"]
    lines += [f"  {problem}" for problem in result.problems] + [f"  warning: {warning}" for warning in result.warnings]
    code = 0 if result.ok else DataGateError.exit_code
    return Outcome(value=result.to_json(), text="\n".join(lines), code=code, problems=result.problems)


def _train(run: ModelRun) -> Outcome:
    result = run.trained
    how = "found in the cache" if result.cached else f"trained in {result.seconds:.1f} s"
    # a dot marks what is no metric on the holdout: those on training rows, and the dummy model's
    shown = ", ".join(f"{name} {value:.4g}" for name, value in result.metrics.items() if "." not in name)
    text = f"{result.model}: lock {result.lock[:12]} {how}; {shown}"
    if result.best_params is not None:
        text += f"\n  best of the search: {', '.join(f'{name}={item}' for name, item in result.best_params.items())}"
    return Outcome(value=result.to_json(), text=text)


def _export(run: ModelRun) -> Outcome:
    from mlops_ci.pipeline.export import AnswersDiffer

    try:
        result = run.exported
    except ParityError as error:
        failed = error_outcome(error)
        parity = error.parity.to_json() if isinstance(error, AnswersDiffer) else None
        nothing = {"model": run.config.model, "onnx": None, "digest": None, "parity": parity}
        return replace(failed, value={**nothing, **failed.value}, text=f"{run.config.model}: {error}")
    found = result.parity
    made = found.rows - sum(kind.rows for kind in found.kinds if kind.kind == "holdout")
    text = (
        f"{run.config.model}: ONNX {result.digest[:12]} answers as the native model does on {found.rows} rows, "
        f"{made} of them adversarial (largest difference {found.max_abs_diff:.2g}, {found.flips} labels differ)"
    )
    return Outcome(value={"model": run.config.model, "onnx": str(run.graph), **result.to_json()}, text=text)


def _evaluate(run: ModelRun) -> Outcome:
    evaluation = run.evaluated
    judgement = evaluation.judgement
    lines = [f"{run.config.model}: {judgement.verdict}, {'ships' if judgement.ships else 'does not ship'}"]
    lines += [f"  {reason}" for reason in judgement.reasons]
    value = {**evaluation.value, "evidence": evaluation.digest}
    if not judgement.blocked:
        return Outcome(value=value, text="\n".join(lines))
    problems = [Problem(where=run.config.model, what=reason) for reason in judgement.reasons]
    return Outcome(value=value, text="\n".join(lines), code=ModelGateBlocked.exit_code, problems=problems)


@dataclass(frozen=True, kw_only=True)
class _Reports:
    markdown: Path
    html: Path
    text: str


def _write_reports(evaluations: Sequence[Mapping[str, Any]], folder: Path) -> _Reports:
    from mlops_ci.adapters.atomic_file import write_atomically
    from mlops_ci.pipeline.report import render

    page = render(evaluations, title="mlops-ci")
    reports = _Reports(markdown=folder / "report.md", html=folder / "report.html", text=page.markdown)
    write_atomically(reports.markdown, page.markdown)
    write_atomically(reports.html, page.html)
    return reports


COMMANDS = (
    Command(name="check", help="check configuration and data: the data gate", run=check, arguments=(model_argument,)),
    Command(name="train", help="train the candidate of the present lock, once", run=train, arguments=(model_argument,)),
    Command(name="export", help="check parity and write the ONNX graph", run=export, arguments=(model_argument,)),
    Command(
        name="evaluate", help="judge the candidate against the champion", run=evaluate, arguments=(model_argument,)
    ),
    Command(name="report", help="write the report as Markdown and HTML", run=report, arguments=(model_argument,)),
    Command(
        name="ci",
        help="check, train, export, evaluate and report, as a pull request does",
        run=ci,
        arguments=(
            option("models", nargs="*", metavar="MODEL", help="may be left out where there is only one"),
            option("--all", action="store_true", help="every model of the repository"),
            option("--outbox", metavar="DIR", help="write there, and only read the store; for `mlops-ci admit`"),
            option(
                "--limits-only",
                action="store_true",
                help="do not read the store either: judge by the declared limits, without the champion",
            ),
            option("--reports", metavar="DIR", help="the report, and the evaluations for `mlops-ci publish-report`"),
        ),
    ),
)
