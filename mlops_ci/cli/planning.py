"""`plan`: what a change touches, as a matrix for CI: models, or with `--desired` what environments are to serve."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, option
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context

_SHOWN = 50


def plan(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.core.plan import MOST_JOBS

    most = MOST_JOBS if arguments.most_jobs is None else arguments.most_jobs
    if not 1 <= most <= MOST_JOBS:
        raise ConfigurationError(f"--most-jobs {most}", fix=f"write a whole number from 1 to {MOST_JOBS}")
    changed = _changed(arguments, context)
    base = arguments.base or arguments.before
    about = {"base": base, "files": None if changed is None else len(changed)}
    if arguments.desired:
        if arguments.share or arguments.names:
            raise ConfigurationError("--share and --names are about models", fix="leave --desired out, or these")
        return _environments(context, changed, most, about)
    return _models(context, changed, most, about, arguments)


def _changed(arguments: argparse.Namespace, context: Context) -> list[str] | None:
    """The changed files; None where everything is to be planned."""
    from mlops_ci.adapters.git_changes import changed_by_push, changed_since

    if arguments.all or arguments.model:
        return None
    if arguments.before is not None:
        return changed_by_push(context.repository, arguments.before)
    return changed_since(context.repository, arguments.base)


def _models(
    context: Context, changed: list[str] | None, most: int, about: dict[str, object], arguments: argparse.Namespace
) -> Outcome:
    from mlops_ci.config.reach import reaches
    from mlops_ci.core.plan import matrix, share, touched

    only = arguments.model
    models = [each for each in reaches(context.directory) if only in (None, each.model)]
    if only and not models:
        raise ConfigurationError(f"there is no model '{only}'", where="--model", fix="see mlops-ci plan --all")
    because = {each.model: "" for each in models} if changed is None else touched(changed, models)
    if arguments.share:
        number, of = _share(arguments.share)
        because = {name: because[name] for name in share(list(because), number, of=of)}
    names = list(because)
    value = {**about, "count": len(names), "models": names, "matrix": matrix(names, most=most)}
    if arguments.names:
        return Outcome(value=value, text="\n".join(names))
    lines = [f"{len(names)} of {len(models)} models are touched"]
    lines += [f"  {name}  {path}".rstrip() for name, path in because.items()]
    return Outcome(value=value, text=_shortened(lines))


def _share(text: str) -> tuple[int, int]:
    from mlops_ci.core.plan import MOST_JOBS

    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of) <= MOST_JOBS):
        raise ConfigurationError(f"--share {shown_name(text)}", fix="write which of how many, such as 2/4")
    return int(number), int(of)


def _environments(context: Context, changed: list[str] | None, most: int, about: dict[str, object]) -> Outcome:
    from mlops_ci.config.reach import reaches
    from mlops_ci.core.plan import desired

    if changed is None:
        folder = context.directory
        changed = [path.relative_to(folder).as_posix() for path in folder.glob("environments/*/*.yaml")]
    pairs = desired(changed, {reach.model for reach in reaches(context.directory)})
    if len(pairs) > most:
        raise ConfigurationError(
            f"the desired state of {len(pairs)} environments of models has changed at once: more than {most} jobs",
            fix="run `mlops-ci reconcile --since COMMIT`, which does one after the other",
        )
    jobs = [
        {"name": f"{model} in {environment}", "model": model, "environment": environment}
        for model, environment in pairs
    ]
    value = {**about, "count": len(jobs), "models": sorted({model for model, _ in pairs}), "matrix": {"include": jobs}}
    lines = [
        f"the desired state of {len(jobs)} environments of models has changed",
        *(f"  {job['name']}" for job in jobs),
    ]
    return Outcome(value=value, text=_shortened(lines))


def _shortened(lines: list[str]) -> str:
    more = len(lines) - 1 - _SHOWN
    return "\n".join([*lines[: _SHOWN + 1], *([f"  and {more} more"] if more > 0 else [])])


def _either(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--base", metavar="REF", help="what is compared with: a branch, a tag or a commit")
    which.add_argument(
        "--before",
        metavar="COMMIT",
        help="what a push's event names as the commit before; unknown or zeros: everything",
    )
    which.add_argument("--all", action="store_true", help="every model of the repository")
    which.add_argument("--model", metavar="MODEL", help="this one, whatever has changed")


COMMANDS = (
    Command(
        name="plan",
        help="say which models a change touches, also through files that they share, as a matrix for CI",
        run=plan,
        arguments=(
            _either,
            option(
                "--desired",
                action="store_true",
                help="instead: which environments of which models are to serve another",
            ),
            option(
                "--most-jobs", type=int, metavar="N", help="of the matrix; beyond, models share a job (default: 256)"
            ),
            option("--share", metavar="I/N", help="what the I-th of always N jobs has to do, counted from 1"),
            option("--names", action="store_true", help="print the names of the models only, one a line"),
        ),
    ),
)
