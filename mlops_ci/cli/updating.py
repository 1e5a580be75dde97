"""`update`: brings what the template has learnt since into a repository, and keeps what the team has changed."""

from __future__ import annotations

import argparse
import re
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mlops_ci import __version__
from mlops_ci.cli.command import Command, Outcome, option
from mlops_ci.cli.proposing import dispatch_option
from mlops_ci.cli.starting import answer_option, answers_given, ask
from mlops_ci.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from mlops_ci.adapters.template_update import Update
    from mlops_ci.cli.context import Context
    from mlops_ci.ports import PullRequest

BRANCH = "mlops-ci/update/template"
_MARK = re.compile("<!-- mlops-ci template ([0-9a-f]+) onto ([0-9a-f]+) at ([0-9a-f]+) -->")
"""In the body of the pull request: the digest of what it brings, what it was made from, and its commit then."""


def update(arguments: argparse.Namespace, context: Context) -> Outcome:
    """Conflicts end with exit code 2, as what a person has to mend; proposed in a pull request they end with 0."""
    from mlops_ci.adapters import template_update

    repository = context.repository
    record = template_update.committed_record(repository)
    planned = template_update.plan_update(repository, answers_given(arguments), record)
    if planned.new_questions and not arguments.defaults and not arguments.check and sys.stdin.isatty():
        new = [question for question in planned.template.questions if question.name in planned.new_questions]
        answers = ask(new, answers_given(arguments))
        planned = template_update.plan_update(repository, answers, record)
    if arguments.pull_request:
        return _propose(context, planned, dispatch=arguments.dispatch, check=arguments.check)
    if arguments.check or not planned.is_behind:
        return _outcome(planned, "behind" if planned.is_behind else "up-to-date")
    template_update.require_clean(repository, planned.merge.files)
    template_update.write(repository.root, planned.merge.files)
    code = ConfigurationError.exit_code if planned.merge.conflicts else 0
    return _outcome(planned, "conflicts" if planned.merge.conflicts else "updated", code=code)


def _propose(context: Context, planned: Update, *, dispatch: str, check: bool) -> Outcome:
    """Opens the pull request, or brings the open one to what the template is now. What people have pushed to it, or
    closed, stays as it is.
    """
    from mlops_ci.adapters.template_record import PRISTINE_FILE
    from mlops_ci.cli.proposing import propose_files

    if not planned.is_behind:
        return _outcome(planned, "up-to-date")
    onto = context.repository.commit() or ""
    digest = sha256(planned.merge.files.get(PRISTINE_FILE) or b"").hexdigest()[:16]
    there = context.forge.latest_pull_request(BRANCH)
    standing = _standing(there, digest=digest, onto=onto) if there else ""
    if there and standing:
        return _outcome(planned, standing, pull=there)
    if check:
        return _outcome(planned, "behind", pull=there if there and there.state == "open" else None)
    count = len(planned.merge.conflicts)
    title = f"Update the template to mlops-ci {__version__}" + (f": {count} to look at" if count else "")
    body = _body(planned)
    pull = propose_files(
        context, planned.merge.files, branch=BRANCH, onto=onto, title=title, body=body, dispatch=dispatch
    )
    # The mark names the commit, which is known only now.
    body = f"{body}\n<!-- mlops-ci template {digest} onto {onto} at {pull.head} -->\n"
    pull = context.forge.propose(branch=BRANCH, base=context.shared_repository.main, title=title, body=body)
    return _outcome(planned, "proposed", pull=pull)


def _standing(pull: PullRequest, *, digest: str, onto: str) -> str:
    """Why the pull request stays as it is; empty where it has to be made anew."""
    found = _MARK.search(pull.body)
    if found is None or pull.state == "merged":
        return ""
    brings, was_onto, at = found.groups()
    if pull.state == "closed":
        return "declined" if brings == digest else ""
    if at != pull.head:
        return "in-progress"
    return "proposed" if (brings, was_onto) == (digest, onto) else ""


_SAID = {
    "up-to-date": "nothing is behind: the repository has what the template has",
    "behind": "behind; nothing was changed",
    "updated": "updated; look at it with `git diff`, then commit it",
    "conflicts": "updated, but you have changed the same lines as the template; mend these, then commit",
    "proposed": "proposed",
    "in-progress": "people have pushed to the pull request, so it stays as it is: merge or close it",
    "declined": "people have closed the pull request that proposes this, so it stays closed",
}


def _outcome(planned: Update, outcome: str, *, code: int = 0, pull: PullRequest | None = None) -> Outcome:
    from mlops_ci.adapters.template_record import RECORDS

    merge, record = planned.merge, planned.record
    named: dict[str, Any] = {
        kind: [path for path in paths if path not in RECORDS]
        for kind, paths in (("changed", merge.changed), ("added", merge.added), ("removed", merge.removed))
    }
    value = {
        "kind": record.kind, "from": record.toolkit, "to": __version__, "outcome": outcome,
        "behind": planned.is_behind, **named,
        "conflicts": [problem.to_json() for problem in merge.conflicts],
        "kept": [problem.to_json() for problem in merge.kept],
        "pull_request": pull.number if pull else None,
    }  # fmt: skip
    lines = [f"template {record.kind}, from mlops-ci {record.toolkit} to {__version__}: {_SAID[outcome]}"]
    lines[0] += f" (pull request {pull.number}: {pull.url})" if pull else ""
    lines += [f"  {kind}: {', '.join(paths)}" for kind, paths in named.items() if paths]
    lines += [f"  conflict: {problem.where}: {problem.what}" for problem in merge.conflicts]
    lines += [f"  yours stays: {problem.where}: {problem.what}" for problem in merge.kept]
    problems: tuple[Problem, ...] = merge.conflicts if code else ()
    return Outcome(value=value, text="\n".join(lines), code=code, problems=problems)


def _body(planned: Update) -> str:
    from mlops_ci.adapters.template_record import RECORDS
    from mlops_ci.pipeline.markdown import escaped

    merge, record = planned.merge, planned.record
    lines = [
        f"The template {escaped(record.kind)} has moved on since mlops-ci {escaped(record.toolkit)}; this is "
        f"{__version__}. It comes in by a three-way merge; what you have changed stays.",
        "",
    ]
    if merge.conflicts:
        lines += [
            "**You and the template have changed the same lines.** Mend them on this branch before you merge: keep "
            "what is right between `<<<<<<<` and `>>>>>>>`, and take the markers out.",
            "",
            *(f"- {escaped(problem.where)}" for problem in merge.conflicts),
            "",
        ]
    for kind, paths in (("Changed", merge.changed), ("New", merge.added), ("Gone", merge.removed)):
        shown = [path for path in paths if path not in RECORDS]
        lines += [f"{kind}: {', '.join(map(escaped, shown))}", ""] if shown else []
    if merge.kept:
        kept = (f"- {escaped(each.where)}: {escaped(each.what)}" for each in merge.kept)
        lines += ["These stay as you have them:", "", *kept]
    return "\n".join(lines).rstrip() + "\n"


COMMANDS = (
    Command(
        name="update",
        help="bring in what the repository's template has learnt since",
        run=update,
        arguments=(
            option("--check", action="store_true", help="say what is behind, and change nothing"),
            option("--defaults", action="store_true", help="take the default of every new question, ask nothing"),
            answer_option(),
            option("--pull-request", action="store_true", help="propose it by pull request instead of changing files"),
            dispatch_option(),
        ),
    ),
)
