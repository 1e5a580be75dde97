"""`ab-report`: what an A/B test has shown so far."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_ci.cli.command import Command, Outcome, environment_argument, model_argument, option

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context


def ab_report(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.delivery import site_of
    from mlops_ci.pipeline.ab_report import Truth
    from mlops_ci.pipeline.ab_report import ab_report as report_of
    from mlops_ci.pipeline.known_actuals import texts_of_actuals

    config = context.config(arguments.model)
    environment = arguments.environment or config.environments[-1].name
    site = site_of(context, config, environment)
    truth = None
    if arguments.actuals:
        from mlops_ci.pipeline.ab_test import latest_test

        texts = texts_of_actuals(config.data.target, site.signature(latest_test(site).new))
        table = context.data.read(arguments.actuals, context.directory, texts=texts)
        truth = Truth(actuals=table, target=config.data.target, metric=config.gate.primary.metric)
    value = {"model": config.model, "environment": environment, **report_of(site, truth).to_json()}
    return Outcome(value=value, text=_text(value))


def _text(value: Mapping[str, Any]) -> str:
    stable, new = (f"version {value[side]['version']}" for side in ("stable", "new"))
    time = f"ended {value['ended'][:19]}Z" if value["ended"] else f"until {value['until'][:19]}Z"
    lines = [
        f"{value['model']} in {value['environment']}: {new} at {value['share']} % against {stable}, "
        f"since {value['began'][:19]}Z, {time}: {value['outcome']}",
        f"  {'':30} {stable:>28} {new:>28}   difference",
        f"  {'requests':30} {value['requests']['stable']:>28} {value['requests']['new']:>28}",
    ]
    judged = [value["performance"]] if value["performance"] else []
    for row in (value["errors"], *value["answers"], *judged):
        cells = [_estimate(row[side]) for side in ("stable", "new", "difference")]
        lines.append(f"  {row['name']:30} {cells[0]:>28} {cells[1]:>28}   {cells[2]}")
    for level, old in value["latency_ms"]["stable"].items():
        cells = [_bound(old), _bound(value["latency_ms"]["new"][level])]
        lines.append(f"  {f'latency {level}':30} {cells[0]:>28} {cells[1]:>28}")
    return "\n".join([*lines, *(f"  {note}" for note in value["notes"])])


def _estimate(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "-"
    if estimate["lower"] is None:
        return f"{estimate['value']:.4g}"
    return f"{estimate['value']:.4g} [{estimate['lower']:.4g}, {estimate['upper']:.4g}]"


def _bound(bound: float | None) -> str:
    return "-" if bound is None else f"at most {bound:g} ms"


COMMANDS = (
    Command(
        name="ab-report",
        help="compare the two releases of an A/B test: errors, latency, answers, and how well both did",
        run=ab_report,
        arguments=(
            model_argument,
            environment_argument,
            option("--actuals", metavar="FILE", help="what came true: request_id, the target, and perhaps row"),
        ),
    ),
)
