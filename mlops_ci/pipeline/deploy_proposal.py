"""A deployment to the first environment in a repository whose main branch nobody may push to: a pull request, too."""

from __future__ import annotations

from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError
from mlops_ci.pipeline.desired_state import commit_desired, proposes, touches_more
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest

DEPLOYMENTS = "mlops-ci/deploy/"


def deploy_branch(environment: str, model: str) -> str:
    return f"{DEPLOYMENTS}{environment}/{model}"


def name_in_git(site: Site, release: Release) -> PullRequest | None:
    """Makes the main branch name the release for the site.

    Where the forge lets nobody push there it is proposed, and merged at once if the forge lets that be. None once the
    main branch names it; else the pull request that waits for people, or that people have closed.
    """
    title = f"Deploy {site.model} version {release.version} to {site.name}"
    try:
        _commit(site, release, branch=site.repository.main, title=title)
    except ApprovalError as error:
        site.console.say(f"{site.name}: {error.what}")
    else:
        return None
    pull = _found(site, release) or _proposed(site, release, title)
    if pull.state == "closed":
        return pull
    try:
        message = site.vouched(f"Merge pull request {pull.number}: {pull.title}")
        site.forge.merge(pull.number, head=pull.head, message=message)
    except ApprovalError as error:
        site.console.say(f"{site.name}: pull request {pull.number} waits for people: {error.what}")
        return pull
    return None


def _found(site: Site, release: Release) -> PullRequest | None:
    """The one that proposes just this: open, or closed by people, who do not want it."""
    pull = site.forge.latest_pull_request(deploy_branch(site.name, site.model))
    if pull is None or pull.state == "merged" or (pull.state == "closed" and not pull.closed_by):
        return None
    same = proposes(site.repository, site.name, site.model, release.id, head=pull.head)
    return pull if same and not touches_more(site.repository, site.name, site.model, head=pull.head) else None


def _proposed(site: Site, release: Release, title: str) -> PullRequest:
    branch = deploy_branch(site.name, site.model)
    _commit(site, release, branch=branch, title=title)
    body = (
        f"Version {release.version} of {site.model} was judged and registered, and may serve in {site.name}. "
        f"Merge this to deploy it there; it is verified then, and its promotion is proposed.\n\n"
        f"Release `{release.id}`."
    )
    return site.forge.propose(branch=branch, base=site.repository.main, title=title, body=body)


def _commit(site: Site, release: Release, *, branch: str, title: str) -> None:
    commit_desired(
        site.repository, environment=site.name, model=site.model, release=release.id, version=release.version,
        branch=branch, message=site.vouched(title),
    )  # fmt: skip
