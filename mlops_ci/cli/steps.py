"""The steps of a pull request: check, train, export, evaluate, report; and `ci`, which runs them in order."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.command import Command, Outcome, model_argument, option
from mlops_ci.errors import DataGateError, ModelGateBlocked, ParityError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.cli.judging import ModelRun


def check(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _check(_run(arguments, context))


def train(arguments: argparse.Namespace, context: Context) -> Outcome:
    result = _run(arguments, context).trained
    shown = ", ".join(f"{name} {value:.4f}" for name, value in result.metrics.items() if "." not in name)
    how = "found in the cache" if result.cached else f"trained in {result.seconds:.1f} s"
    return Outcome(value=result.to_json(), text=f"{result.model}: lock {result.lock[:12]} {how}; {shown}")


def export(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _export(_run(arguments, context))


def evaluate(arguments: argparse.Namespace, context: Context) -> Outcome:
    return _evaluate(_run(arguments, context))


def report(arguments: argparse.Namespace, context: Context) -> Outcome:
    run = _run(arguments, context)
    markdown, html = _write_reports(context, [run.evaluated.value], run.folder)
    value = {
        "model": run.config.model,
        "markdown": str(markdown),
        "html": str(html),
        "verdict": run.evaluated.judgement.verdict,
    }
    return Outcome(value=value, text=f"{markdown}\n{html}", summary=markdown.read_text(encoding="utf-8"))


def ci(arguments: argparse.Namespace, context: Context) -> Outcome:
    """All steps of one model or more; the exit code is that of the first that failed, once all have been tried."""
    from mlops_ci.cli.judging import ModelRun

    names = arguments.models or (context.models() if arguments.all else [None])
    results = [_pull_request(ModelRun(context, context.config(name))) for name in names]
    evaluations = [result.evaluation for result in results if result.evaluation]
    value: dict[str, Any] = results[0].value if len(results) == 1 else {"models": [result.value for result in results]}
    text, summary = "\n".join(result.text for result in results), ""
    if evaluations:
        folder = context.work / "reports"
        markdown, html = _write_reports(context, evaluations, folder)
        value = {**value, "report": {"markdown": str(markdown), "html": str(html)}}
        text += f"\nreport: {html}"
        summary = markdown.read_text(encoding="utf-8")
    codes = [result.code for result in results if result.code]
    return Outcome(value=value, text=text, code=codes[0] if codes else 0, summary=summary)


class _Result:
    """What `ci` found for one model."""

    def __init__(self, model: str) -> None:
        self.value: dict[str, Any] = {"model": model, "failed": None}
        self.evaluation: dict[str, Any] | None = None
        self.text = ""
        self.code = 0

    def fail(self, step: str, outcome: Outcome) -> None:
        self.value["failed"] = self.value["failed"] or step
        self.code = self.code or outcome.code


def _pull_request(run: ModelRun) -> _Result:
    """The steps in order. A model that cannot be exported is still judged: its verdict is `parity`."""
    result = _Result(run.config.model)
    for name, step in (("check", _check), ("train", _train), ("export", _export), ("evaluate", _evaluate)):
        outcome = step(run)
        result.text += f"{outcome.text}\n"
        result.value |= outcome.value if name == "evaluate" else {name: outcome.value}
        if outcome.code:
            result.fail(name, outcome)
            if outcome.code == DataGateError.exit_code:
                return result
    result.evaluation = dict(run.evaluated.value)
    return result


def _run(arguments: argparse.Namespace, context: Context) -> ModelRun:
    from mlops_ci.cli.judging import ModelRun

    return ModelRun(context, context.config(arguments.model))


def _check(run: ModelRun) -> Outcome:
    result = run.checked
    problems = [vars(problem) for problem in result.problems]
    value = {
        "model": result.model,
        "ok": result.ok,
        "problems": problems,
        "warnings": [vars(warning) for warning in result.warnings],
        "rows": result.rows,
        "data_digest": result.data_digest,
    }
    lines = [f"{result.model}: {result.rows} rows, data {'fit to train on' if result.ok else 'NOT fit to train on'}"]
    lines += [f"  {problem}" for problem in result.problems] + [f"  warning: {warning}" for warning in result.warnings]
    return Outcome(value=value, text="\n".join(lines), code=0 if result.ok else DataGateError.exit_code)


def _train(run: ModelRun) -> Outcome:
    result = run.trained
    how = "found in the cache" if result.cached else f"trained in {result.seconds:.1f} s"
    return Outcome(value=result.to_json(), text=f"{result.model}: lock {result.lock[:12]} {how}")


def _export(run: ModelRun) -> Outcome:
    try:
        result = run.exported
    except ParityError as error:
        problems = [vars(problem) for problem in error.problems]
        value = {
            "model": run.config.model,
            "onnx": None,
            "digest": None,
            "parity": None,
            "refusal": error.what,
            "fix": error.fix,
            "problems": problems,
        }
        return Outcome(value=value, text=f"{run.config.model}: {error}", code=ParityError.exit_code)
    parity = result.parity
    text = (
        f"{run.config.model}: ONNX {result.digest[:12]} answers as the native model does on {parity.rows} rows "
        f"(largest difference {parity.max_abs_diff:.2g}, {parity.flips} labels differ)"
    )
    return Outcome(value={"model": run.config.model, **result.to_json()}, text=text)


def _evaluate(run: ModelRun) -> Outcome:
    evaluation = run.evaluated
    judgement = evaluation.judgement
    lines = [f"{run.config.model}: {judgement.verdict}, {'ships' if judgement.ships else 'does not ship'}"]
    lines += [f"  {reason}" for reason in judgement.reasons]
    return Outcome(
        value={**evaluation.value, "evidence": evaluation.digest},
        text="\n".join(lines),
        code=ModelGateBlocked.exit_code if judgement.blocked else 0,
    )


def _write_reports(context: Context, evaluations: Sequence[Mapping[str, Any]], folder: Path) -> tuple[Path, Path]:
    from mlops_ci.pipeline.report import render

    page = render(evaluations, title="mlops-ci")
    folder.mkdir(parents=True, exist_ok=True)
    markdown, html = folder / "report.md", folder / "report.html"
    markdown.write_text(page.markdown, encoding="utf-8")
    html.write_text(page.html, encoding="utf-8")
    return markdown, html


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
        ),
    ),
)
