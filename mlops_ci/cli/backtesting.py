"""`backtest`: which past verdicts another gate policy would have changed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, model_argument, path_option

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.pipeline.backtest import Replay


def backtest(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.config.loading import load_policy
    from mlops_ci.pipeline.backtest import backtest as replay_all

    config = context.config(arguments.model)
    path: Path = context.directory / arguments.policy
    gate = load_policy(path, config.path, root=context.directory)
    with context.console.working(f"replaying the verdicts on {config.model}"):
        replays = replay_all(config.model, gate, context.registry)
    changed, lost = [one for one in replays if one.changed], [one for one in replays if not one.replayed]
    value = {
        "model": config.model,
        "policy": str(arguments.policy),
        "evaluations": [one.to_json() for one in replays],
        "replayed": len(replays) - len(lost),
        "changed": len(changed),
        "not_replayable": len(lost),
    }
    said = f"{config.model}: {len(replays)} verdicts, {len(changed)} would change under {arguments.policy}"
    if lost:
        said += f"; {len(lost)} cannot be replayed"
    return Outcome(value=value, text="\n".join([said, *_table(replays)]))


def _table(replays: Sequence[Replay]) -> list[str]:
    head = ("when", "version", "lock", "then", "now", "ships then", "now", "why")
    rows = [
        (
            one.time[:16].replace("T", " "),
            "-" if one.version is None else str(one.version),
            one.lock[:12],
            one.verdict_then,
            one.verdict_now or "not replayable",
            _yes(one.ships_then),
            _yes(one.ships_now),
            one.why,
        )
        for one in replays
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in (head, *rows)
    ]


def _yes(ships: bool | None) -> str:
    return "-" if ships is None else "yes" if ships else "no"


COMMANDS = (
    Command(
        name="backtest",
        help="replay past verdicts under another gate policy",
        run=backtest,
        arguments=(
            model_argument,
            path_option("--policy", required=True, help="a file with a `gate:` section, or a whole mlops.yaml"),
        ),
    ),
)
