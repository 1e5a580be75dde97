"""`plan`: which models a change touches, as a matrix for CI."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, option
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context

_SHOWN = 50


def plan(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.adapters.git_changes import changed_since
    from mlops_ci.config.reach import reaches
    from mlops_ci.core.plan import MOST_JOBS, matrix, touched

    most = MOST_JOBS if arguments.most_jobs is None else arguments.most_jobs
    if not 1 <= most <= MOST_JOBS:
        raise ConfigurationError(f"--most-jobs {most}", fix=f"write a whole number from 1 to {MOST_JOBS}")
    models = reaches(context.directory)
    changed = None if arguments.all else changed_since(context.repository, arguments.base)
    because = {each.model: "" for each in models} if changed is None else touched(changed, models)
    names = list(because)
    value = {
        "base": None if arguments.all else arguments.base,
        "files": None if changed is None else len(changed),
        "count": len(names),
        "models": names,
        "matrix": matrix(names, most=most),
    }
    lines = [f"{len(names)} of {len(models)} models are touched"]
    lines += [f"  {name}  {path}".rstrip() for name, path in list(because.items())[:_SHOWN]]
    if len(names) > _SHOWN:
        lines.append(f"  and {len(names) - _SHOWN} more")
    return Outcome(value=value, text="\n".join(lines))


def _either(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--base", metavar="REF", help="what is compared with: a branch, a tag or a commit")
    which.add_argument("--all", action="store_true", help="every model of the repository")


COMMANDS = (
    Command(
        name="plan",
        help="say which models a change touches, also through files that they share, as a matrix for CI",
        run=plan,
        arguments=(
            _either,
            option(
                "--most-jobs", type=int, metavar="N", help="of the matrix; beyond, models share a job (default: 256)"
            ),
        ),
    ),
)
