"""`reproduce`: train a version again, from its commit and its lock, and prove that the same model comes out."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, model_argument, option
from mlops_ci.errors import ConfigurationError, IntegrityError, Problem

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.pipeline.reproduce import Reproduction


def reproduce(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.config.loading import select
    from mlops_ci.pipeline.reproduce import reproduce as reproduce_version

    present = context.config(arguments.model)
    version = context.registry.version(present.model, arguments.version)
    if not version.commit or context.repository.commit(version.commit) is None:
        commit = version.commit[:12] or "that nobody wrote down"
        what = f"version {version.version} was trained from commit {commit}, which is not here"
        fix = "fetch it (git fetch --unshallow where the clone is shallow)"
        raise ConfigurationError(what, where=str(context.directory), fix=fix)
    with context.repository.checked_out(version.commit) as folder:
        result = reproduce_version(
            version,
            select(folder, present.model),
            also_in=present.root,
            data=context.data,
            user_code=context.user_code,
            installed=context.installed,
            exporter=context.exporter,
            runtime=context.runtime,
            engine=context.engine(present),
            registry=context.registry,
            console=context.console,
            clock=context.clock,
        )
    problems = [] if result.reproduced else [Problem(where=present.model, what=result.finding)]
    code = 0 if result.reproduced else IntegrityError.exit_code
    return Outcome(value=result.to_json(), text=_text(result), code=code, problems=problems)


def _text(result: Reproduction) -> str:
    lines = [f"{result.version.model}: {result.finding}", f"  lock {result.version.lock[:12]}, ONNX {result.onnx[:12]}"]
    lines += [f"  differs: {line}" for line in (*result.differences, *result.machine)]
    if result.apart is not None:
        apart = result.apart
        by = "without bound" if apart.max_abs_diff is None else f"by up to {apart.max_abs_diff:.3g}"
        lines.append(f"  on {apart.rows:,} holdout rows the two answer differently {by}; {apart.flips} labels differ")
    if not result.reproduced and result.again and not result.differences:
        lines.append("  look for random_state=None in threads, sets of texts that are iterated, files read by the code")
    return "\n".join(lines)


COMMANDS = (
    Command(
        name="reproduce",
        help="train a version again from its lock, and prove the same ONNX digest or name the input that differs",
        run=reproduce,
        arguments=(
            model_argument,
            option("version", type=int, metavar="VERSION", help="the number of a registered version"),
        ),
    ),
)
