"""Commands that only ask: status, history, why."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, environment_argument, model_argument, option
from mlops_ci.cli.moments import HELP, moment
from mlops_ci.core.naming import one_line
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.pipeline.status import EnvironmentStatus
    from mlops_ci.pipeline.why import Service, Why


def status(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.delivery import site_of
    from mlops_ci.pipeline.status import abandoned
    from mlops_ci.pipeline.status import status as status_of

    names = [arguments.model] if arguments.model else context.models()
    rows, left = [], []
    for name in names:
        config = context.config(name)
        rows += [status_of(site_of(context, config, environment.name)) for environment in config.environments]
        chain = [environment.name for environment in config.environments]
        gone = abandoned(context.log.state(config.model), chain)
        left += [{"model": config.model, "environment": where, "release": gone[where]} for where in sorted(gone)]
    lines = [f"{'model':20} {'environment':14} {'version':>7}  {'release':12}  {'healthy':7}  url"]
    for row in rows:
        release, version = (row.release or "-")[:12], "-" if row.version is None else str(row.version)
        healthy = "-" if row.release is None else "yes" if row.healthy else "NO"
        lines.append(f"{row.model:20} {row.environment:14} {version:>7}  {release:12}  {healthy:7}  {row.url or '-'}")
        if row.hold:
            lines.append(f"{'':20} on hold: {row.hold}")
        if row.trouble:
            lines.append(f"{'':20} {row.trouble}")
        lines += [f"{'':20} {line}" for line in _on_its_way(row)]
        if not row.settled and row.revert is None:
            lines.append(f"{'':20} Git wants {(row.desired or 'nothing')[:12]}: mlops-ci reconcile {row.model}")
    for one in left:
        served = f"it served release {one['release'][:12]} last, and what runs there is left alone"
        lines.append(f"{one['model']:20} {one['environment']} is not in mlops.yaml any more: {served}")
    value = {"environments": [row.to_json() for row in rows], "abandoned": left}
    return Outcome(value=value, text="\n".join(lines))


def _on_its_way(row: EnvironmentStatus) -> list[str]:
    """What is proposed, rolled out, closed, or to be looked at, a line each."""
    lines = list(row.warnings)
    if row.rollout is not None:
        until = f" until {row.rollout.until[:19]}Z" if row.rollout.until else ""
        name = f"version {row.rollout.version} ({row.rollout.release[:12]})"
        lines.append(f"{name} is being rolled out, at {row.rollout.share} %: {row.rollout.outcome}{until}")
    if row.promotion is not None:
        proposed = row.promotion
        what = f"version {proposed.version}" if proposed.version is not None else proposed.title
        by = f", approved by {', '.join(proposed.approved_by)}" if proposed.approved_by else ""
        missing = f", {proposed.missing} of {proposed.required} approvals are missing" if proposed.missing else ""
        where = proposed.url if "://" in proposed.url else "mlops-ci approve"
        lines.append(f"pull request {proposed.pull_request} proposes {what}{by}{missing}: {where}")
    if row.revert is not None:
        lines.append(f"Git names what is on hold until pull request {row.revert} is merged")
    if row.closed is not None:
        lines.append(f"closed to promotions: {row.closed}")
    return lines


def history(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.pipeline.history import history as history_of

    config = context.config(arguments.model)
    wanted = {"environment": arguments.environment, "release": arguments.release and arguments.release.lower()}
    asked = any((*wanted.values(), arguments.since, arguments.until))
    since, until = moment(arguments.since, "--since"), moment(arguments.until, "--until")
    if since and until and since > until:
        raise ConfigurationError("--since is after --until", fix="exchange the two")
    entries = history_of(context.log, config.model, since=since, until=until, **wanted)
    lines = [
        f"{entry['number']:>5}  {entry['time'][:19]}Z  {one_line(entry['actor']):16}  {entry['text']}"
        for entry in entries
    ]
    nothing = "nothing of that kind has happened to" if asked else "nothing has happened to"
    return Outcome(
        value={"model": config.model, "events": entries},
        text="\n".join(lines) or f"{nothing} {config.model} yet",
    )


def why(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.pipeline.why import why as why_of

    config = context.config(arguments.model)
    environment = arguments.environment or config.environments[-1].name
    answer = why_of(context.log, context.registry, config.model, environment, moment(arguments.at, "--at"))
    return Outcome(value={"model": config.model, **answer.to_json()}, text="\n".join(_why_lines(answer)))


def _why_lines(answer: Why) -> list[str]:
    """For people: what, since when, on whose word, from what; only what there is to be said."""
    served = f"version {answer.version} ({answer.release})"
    until = f"until {answer.until[:19]}Z" if answer.until else "and still does"
    said = [
        ("environment", f"{answer.environment} at {answer.at[:19]}Z"),
        ("release", served),
        ("served", f"since {answer.since[:19]}Z, {until}"),
        ("traffic", ", ".join(f"{share} % {release[:12]}" for release, share in answer.shares.items())),
        ("approved by", ", ".join(answer.approved_by) or "-"),
    ]
    if answer.approval:
        said.append(("", f"at {answer.approval.at[:19]}Z, who saw commit {answer.approval.head}"))
    said += [
        ("pull request", "-" if answer.pull_request is None else str(answer.pull_request)),
        ("verdict", answer.verdict),
        *(
            ("waived", f"{one['verdict']} by {one['approver']} until {one['expires']}: {one['reason']}")
            for one in answer.waivers
        ),
        ("code", f"commit {answer.commit}"),
        ("desired", f"commit {answer.desired_commit}" if answer.desired_commit else ""),
        ("lock", answer.lock),
        ("data", answer.data_digest or ""),
        ("image", answer.image or ""),
        *(("verified", f"in {one['environment']} at {one['at'][:19]}Z") for one in answer.verifications),
        *(
            ("rollout", f"{one['at'][:19]}Z  {one['share']} %: {one['outcome']} {'; '.join(one['reasons'])}".rstrip())
            for one in answer.rollout
        ),
        *(("evidence", f"{digest}  {name}") for name, digest in answer.release_evidence.items()),
        *(("evidence", one) for one in answer.evidence if one not in answer.release_evidence.values()),
        *(("before", _served(answer.previous)),),
        *(("after", _served(answer.next)),),
        *(("on hold", f"{release[:12]}: {reason}") for release, reason in answer.holds.items()),
        ("note", answer.note),
    ]
    lines, last = [], ""
    for name, text in said:
        if text:
            lines.append(f"{f'{name}:' if name and name != last else '':14} {one_line(text)}")
            last = name or last
    return lines


def _served(service: Service | None) -> str:
    return "" if service is None else f"version {service.version} ({service.release[:12]}), since {service.since[:19]}Z"


COMMANDS = (
    Command(
        name="status", help="say what serves where, and whether it is well", run=status, arguments=(model_argument,)
    ),
    Command(
        name="history",
        help="tell what happened to a model, one line an event",
        run=history,
        arguments=(
            model_argument,
            environment_argument,
            option("--release", metavar="ID", help="what happened to this release; its first digits will do"),
            option("--since", metavar="TIME", help=HELP),
            option("--until", metavar="TIME", help="likewise"),
        ),
    ),
    Command(
        name="why",
        help="say who put what into an environment, on which evidence, now or at a time in the past",
        run=why,
        arguments=(
            model_argument,
            environment_argument,
            option("--at", metavar="TIME", help=HELP),
        ),
    ),
)
