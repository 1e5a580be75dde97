"""Puts Git right by pull request where it names a release that is on hold; where people have to merge it, it waits.

Until then the hold keeps that release out, and what serves is what the log says.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlops_ci.errors import ApprovalError, ConfigurationError, OutsideError
from mlops_ci.pipeline.desired_state import ATTEMPTS, commit_desired, proposes, read_desired, touches_more
from mlops_ci.pipeline.markdown import escaped, visible
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest

REVERTS = "mlops-ci/revert/"
LONGEST_REASON = 1000


@dataclass(frozen=True, kw_only=True)
class Revert:
    """`commit` puts Git right; `waiting` is its pull request where people have to merge it, or have closed it.

    `waited` says that it was proposed before already.
    """

    commit: str
    waiting: PullRequest | None = None
    waited: bool = False


def revert_branch(environment: str, model: str) -> str:
    return f"{REVERTS}{environment}/{model}"


def put_git_right(site: Site, good: str | None, *, reason: str) -> Revert:
    """Makes the main branch name the good release (None: none) where it names one that is on hold here.

    What people made it name meanwhile is theirs to say. One pull request is proposed, and merged where the forge lets
    it. Raises ConfigurationError where people are editing the file, OutsideError where the forge or Git fails.
    """
    waited = waiting_revert(site, good)
    for _ in range(ATTEMPTS):
        if not needs_revert(site):
            return Revert(commit=site.repository.commit(site.repository.main) or "")
        pull = waiting_revert(site, good) or _propose(site, good, reason)
        if pull.state == "closed":
            return Revert(commit=pull.head, waiting=pull, waited=True)
        message = site.vouched(f"Merge pull request {pull.number}: {pull.title}\n\n{_reason_line(reason)}")
        try:
            commit = site.forge.merge(pull.number, head=pull.head, message=message)
        except (ApprovalError, ConfigurationError) as error:
            if waiting_revert(site, good) != pull:  # people were faster: look again
                continue
            if isinstance(error, ConfigurationError):
                raise
            site.console.say(f"{site.name}: pull request {pull.number} waits for people: {error.what}")
            return Revert(commit=pull.head, waiting=pull, waited=waited is not None)
        return Revert(commit=commit, waited=waited is not None)
    raise OutsideError(f"{site.repository.main} changes all the time", fix="run the command again")


def needs_revert(site: Site) -> bool:
    """Whether the main branch names a release that is on hold here."""
    desired, state = read_desired(site.repository, site.name, site.model), site.state()
    return desired is not None and state is not None and desired.release in state.holds


def waiting_revert(site: Site, good: str | None) -> PullRequest | None:
    """The pull request that would put Git right: open, or closed by people, who want Git to stay as it is."""
    pull = site.forge.latest_pull_request(revert_branch(site.name, site.model))
    if pull is None or pull.state == "merged" or (pull.state == "closed" and not pull.closed_by):
        return None
    right = proposes(site.repository, site.name, site.model, good, head=pull.head)
    # Nobody was asked for what else it may change by now, so it is not merged.
    return pull if right and not touches_more(site.repository, site.name, site.model, head=pull.head) else None


def _propose(site: Site, good: str | None, reason: str) -> PullRequest:
    version = site.release(good).version if good else None
    title = f"Take {site.model} back to {f'version {version}' if good else 'nothing'} in {site.name}"
    branch = revert_branch(site.name, site.model)
    commit_desired(
        site.repository, environment=site.name, model=site.model, release=good, version=version, branch=branch,
        message=site.vouched(f"{title}\n\n{_reason_line(reason)}"),
    )  # fmt: skip
    body = (
        f"{site.name} went back already, and what it went back from is on hold there. This makes Git say so.\n\n"
        f"Reason: {escaped(visible(reason, longest=LONGEST_REASON))}"
    )
    return site.forge.propose(branch=branch, base=site.repository.main, title=title, body=body)


def _reason_line(reason: str) -> str:
    """For a commit message, where a line of somebody else's words could pass for a trailer of ours."""
    return f"Reason: {visible(reason, longest=LONGEST_REASON)}"
