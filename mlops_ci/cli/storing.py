"""The keeper's commands: `store copy`, `store verify`, `store gc`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, option
from mlops_ci.config.durations import duration, is_duration
from mlops_ci.errors import ConfigurationError, IntegrityError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.core.chain import Anchor
    from mlops_ci.pipeline.event_log import EventLog
    from mlops_ci.pipeline.store_gc import Garbage
    from mlops_ci.pipeline.store_verify import DesiredFile
    from mlops_ci.ports import KeptStore

_SHOWN = 50


def copy(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.pipeline.store_copy import copy_store

    source, destination = context.open_store(arguments.source), context.open_store(arguments.destination)
    with context.console.working(f"copying {source.url} to {destination.url}"):
        done = copy_store(source, destination, console=context.console, clock=context.clock)
    text = (
        f"{done.objects} objects of {done.source} are at {done.destination}: {done.copied} copied "
        f"({_size(done.bytes)}), {done.present} there already\n"
        f"to read them all once more: mlops-ci store verify {done.destination}"
    )
    return Outcome(value=done.to_json(), text=text)


def verify(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.pipeline.store_verify import verify_store

    store = context.open_store(arguments.url) if arguments.url else context.open_store()
    log = _log(context, store)
    found = verify_store(
        store, log, anchors=_anchors(context, log), desired=_desired(context), console=context.console,
        clock=context.clock,
    )  # fmt: skip
    lines = [
        f"{found.store}: {found.objects} objects ({_size(found.bytes)}): {found.blobs} blobs, {found.records} records, "
        f"{found.events} events of {len(found.models)} models: "
        f"{f'{len(found.problems)} PROBLEMS' if found.problems else 'all as they were written, and whole'}"
    ]
    lines += [f"  {problem}" for problem in found.problems[:_SHOWN]]
    if len(found.problems) > _SHOWN:
        lines.append(f"  and {len(found.problems) - _SHOWN} more; --json lists them all")
    return Outcome(
        value=found.to_json(),
        text="\n".join(lines),
        code=IntegrityError.exit_code if found.problems else 0,
        problems=found.problems[:_SHOWN],
    )


def gc(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.pipeline.store_gc import SHORTEST, collect

    written = arguments.older_than
    if not is_duration(written) or duration(written) < SHORTEST:
        fix = "give 1h or more, such as 7d: every command that is running has to finish in that time"
        raise ConfigurationError(f"--older-than {written!r} is no time that gc may go by", fix=fix)
    store = context.open_store()
    log = _log(context, store)
    done = collect(
        store, log, limit=duration(written), delete=arguments.delete, candidates=arguments.candidates,
        anchors=_anchors(context, log), console=context.console, clock=context.clock,
    )  # fmt: skip
    lines = [
        f"{done.store}: {len(done.garbage)} objects ({_size(done.bytes)}) that nothing names and are older than "
        f"{written}; {done.named} blobs are named, {done.young} are younger",
        *_listed(done.garbage),
    ]
    if done.deleted:
        lines.append(f"{done.removed} removed ({_size(done.freed)})")
    elif done.garbage:
        lines.append(
            f"nothing was changed; `mlops-ci store gc --delete` condemns them, and again after {written} removes"
        )
    return Outcome(value=done.to_json(), text="\n".join(lines))


def _listed(garbage: Sequence[Garbage]) -> list[str]:
    lines = [f"  {one.state:8} {_size(one.bytes):>9}  {one.path}  {one.why}" for one in garbage[:_SHOWN]]
    if len(garbage) > _SHOWN:
        rest = Counter(one.state for one in garbage[_SHOWN:])
        lines.append("  and " + ", ".join(f"{count} {state}" for state, count in sorted(rest.items())) + "; see --json")
    return lines


def _log(context: Context, store: KeptStore) -> EventLog:
    """The logs of the store, which need not be the one that the context's own log is in."""
    from mlops_ci.cli.signing import signing_of
    from mlops_ci.pipeline.event_log import EventLog

    return EventLog(store, context.clock, signing_of(context))


def _anchors(context: Context, log: EventLog) -> Mapping[str, Sequence[Anchor]]:
    """What the repository, where there is one, vouches for of each model that it has files of."""
    from mlops_ci.adapters.git_history import require_history
    from mlops_ci.core.chain import anchors_in

    repository = context.repository_if_any
    if repository is None:
        return {}
    require_history(repository)
    ours = {file.model for file in _desired(context)} | set(context.models())
    return {
        model: anchors_in(repository.messages_of(f"environments/*/{model}.yaml"), model)
        for model in log.models()
        if model in ours
    }


def _desired(context: Context) -> list[DesiredFile]:
    """What main names for each environment; nothing where there is no repository."""
    from mlops_ci.pipeline.desired_state import parse_release
    from mlops_ci.pipeline.store_verify import DesiredFile

    repository = context.repository_if_any
    if repository is None:
        return []
    main, found = repository.main, []
    listing = repository.git("ls-tree", "-r", "-z", "--name-only", main, "--", "environments/", check=False)
    for path in listing.split("\0"):
        parts = path.split("/")
        if len(parts) != 3 or not path.endswith(".yaml"):  # environments/<environment>/<model>.yaml
            continue
        release, fault = "", ""
        try:
            text = (repository.read(path, ref=main) or b"").decode(errors="surrogateescape")
            release = parse_release(text, where=path)
        except ConfigurationError as error:
            fault = error.what
        found.append(DesiredFile(where=path, model=parts[2].removesuffix(".yaml"), release=release, fault=fault))
    return found


def _size(count: float) -> str:
    """As people write sizes.

    >>> _size(999), _size(1_500_000)
    ('999 B', '1.5 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


COMMANDS = (
    Command(
        name="store",
        help="back up, verify and clear the store",
        actions=(
            Command(
                name="copy",
                help="copy a store to another one; run again, it copies what is missing",
                run=copy,
                arguments=(
                    option("source", metavar="SRC", help="a path, file://, s3://, az:// or gs://"),
                    option("destination", metavar="DST", help="likewise; what is there is never overwritten"),
                ),
            ),
            Command(
                name="verify",
                help="read every object, reference and log, and list what is wrong",
                run=verify,
                arguments=(option("url", nargs="?", metavar="URL", help="another store than that of the repository"),),
            ),
            Command(
                name="gc",
                help="list what nothing names; with --delete remove it, in two runs that lie apart",
                run=gc,
                arguments=(
                    option("--delete", action="store_true", help="condemn what is found, remove what is due"),
                    option("--older-than", default="7d", metavar="TIME", help="such as 36h or 7d (the default)"),
                    option(
                        "--candidates", action="store_true", help="also what was trained and never became a version"
                    ),
                ),
            ),
        ),
    ),
)
