"""GitHub for a command whose token starts no workflow: what it proposes gets its check from the command itself.

Else a rule of the repository that asks for the check of the pull requests' workflow would hold our own pull requests
up for ever. They change one line of desired state, which no model is made of, so the workflow would have nothing to do.
"""

from __future__ import annotations

import re

from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.github_forge import GitHubForge
from mlops_ci.adapters.github_publisher import GitHubPublisher
from mlops_ci.errors import ApprovalError, MlopsError
from mlops_ci.ports import Console, PullRequest

DESIRED_STATE = re.compile(r"(.+/)?environments/[^/]+/[^/]+\.yaml")
OF_DESIRED_STATE = ("mlops-ci/promote/", "mlops-ci/deploy/", "mlops-ci/revert/")
"""How the branches begin whose pull requests change nothing else."""


class GatedForge(GitHubForge):
    """Implements `ports.Forge`; `gate` is the name of the check."""

    def __init__(self, api: GitHubApi, console: Console, *, gate: str) -> None:
        super().__init__(api, console)
        self._publisher = GitHubPublisher(api)
        self._gate = gate

    def propose(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        pull = super().propose(branch=branch, base=base, title=title, body=body)
        if branch.startswith(OF_DESIRED_STATE):
            self._pass(pull)
        return pull

    def merge(self, number: int, *, head: str, message: str) -> str:
        """As `ports.Forge`. Whoever merges has looked at what the commit changes, so it may have its check.

        It lacks it where a run was killed right after it had proposed, or where people opened the pull request.
        """
        try:
            return super().merge(number, head=head, message=message)
        except ApprovalError:
            pull = self.pull_request(number)
            if not pull.branch.startswith(OF_DESIRED_STATE) or (pull.state, pull.head) != ("open", head):
                raise
            self._pass(pull)
            return super().merge(number, head=head, message=message)

    def _pass(self, pull: PullRequest) -> None:
        """A check that cannot be made keeps nobody from proposing: only a rule that asks for it would miss it."""
        try:
            if not self._touches_no_model(pull):
                self._console.warn(f"pull request {pull.number} changes more than desired state, so it gets no check")
                return
            self._publisher.check(
                pull.head,
                name=self._gate,
                conclusion="success",
                title="No model is touched",
                summary="mlops-ci made this commit, which changes the desired state alone. What it proposes was judged "
                "and verified before. The token of a run starts no workflow, so mlops-ci itself says so.",
            )
        except MlopsError as error:
            self._console.warn(f"pull request {pull.number} lacks the check {self._gate!r}: {error.what}")

    def _touches_no_model(self, pull: PullRequest) -> bool:
        """Whether it is one file of desired state: anybody who may write can push to the branch at any moment."""
        where = self._api.in_repository("compare/{}...{}", pull.base, pull.head)
        files = [(node.text("status"), node.text("filename")) for node in self._api.ask("GET", where).items("files")]
        return len(files) == 1 and all(
            how in ("added", "modified") and DESIRED_STATE.fullmatch(name) for how, name in files
        )
