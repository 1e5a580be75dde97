"""`audit`: everything that an auditor asks for, in one archive."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, model_argument, option, path_option
from mlops_ci.cli.moments import HELP, moment
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.pipeline.audit import GitAnchor


def audit(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.adapters.zip_archive import write_archive
    from mlops_ci.core.digest import sha256
    from mlops_ci.pipeline.audit import audit as look_into
    from mlops_ci.pipeline.audit import members

    config = context.config(arguments.model)
    since, until = moment(arguments.since, "--from"), moment(arguments.until, "--to")
    if since and until and since > until:
        raise ConfigurationError("--from is after --to", fix="exchange the two")
    path = context.directory / arguments.out
    found = look_into(
        context.log, context.registry, config.model, anchors=_anchors(context, config.model), since=since, until=until,
        with_data=arguments.with_data,
    )  # fmt: skip
    manifest = b""

    def watched() -> Iterator[tuple[str, bytes]]:
        nonlocal manifest  # the last member
        for name, data in members(found, context.log, context.registry):
            manifest = data
            yield name, data

    write_archive(path, watched())
    lines = [
        f"{path}: {len(found.services)} times that {config.model} began to serve something, {len(found.releases)} "
        f"releases, {len(found.evidence)} pieces of evidence, {found.events} events, {len(found.anchors)} Git anchors",
        f"the manifest's SHA-256, to be told to the auditor on another way: {sha256(manifest)}",
    ]
    if found.withheld:
        lines.append(f"{len(found.withheld)} pieces of evidence hold data and are left out (--with-data): withheld.csv")
    return Outcome(value={**found.to_json(), "file": str(path), "manifest": sha256(manifest)}, text="\n".join(lines))


def _anchors(context: Context, model: str) -> list[GitAnchor]:
    """What the commits that touched the model's environments say of the log."""
    from mlops_ci.adapters.git_history import require_history
    from mlops_ci.core.chain import anchors_in
    from mlops_ci.pipeline.audit import GitAnchor

    repository = context.repository_if_any
    if repository is None:
        return []
    require_history(repository)
    pathspec = f":(top,glob){repository.from_top(f'environments/*/{model}.yaml')}"
    which = ("--all", "--full-history", "--diff-merges=first-parent", "--name-only", "--format=%x00%H%x01%B%x01")
    found = []
    for entry in repository.git("log", *which, "--", pathspec, check=False).split("\0"):
        commit, _, rest = entry.partition("\1")
        message, _, names = rest.partition("\1")
        if names.strip():  # as `GitRepository.messages_of`: what the commit itself changed
            found += [GitAnchor(commit=commit, anchor=anchor) for anchor in anchors_in(message, model)]
    return found


COMMANDS = (
    Command(
        name="audit",
        help="write an archive for an auditor: what served when, who approved it, the evidence, and the proof",
        run=audit,
        arguments=(
            model_argument,
            path_option("--out", required=True, help="the ZIP file to write; one that is there is not overwritten"),
            option("--from", dest="since", metavar="TIME", help=HELP),
            option("--to", dest="until", metavar="TIME", help="likewise"),
            option("--with-data", action="store_true", help="also the evidence that holds rows of data"),
        ),
    ),
)
