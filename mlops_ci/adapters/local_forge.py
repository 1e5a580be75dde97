"""A forge on plain Git: pull requests and reviews are blobs under refs of the repository, merges are merge commits.

It lets the whole path run on one machine. It believes what Git believes of who somebody is, which is right on a laptop
and no substitute for a forge that authenticates people.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_commit import TOOLKIT_NAME
from mlops_ci.core.approval import Review
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.shape import misfits
from mlops_ci.errors import ApprovalError, ConfigurationError, IntegrityError, NotFoundError, OutsideError
from mlops_ci.ports import Clock, PullRequest

PULLS = "refs/mlops-ci/pulls"
REVIEWS = "refs/mlops-ci/reviews"
ATTEMPTS = 20
"""How often a change of a pull request is tried: each failure is a change by another command."""


class LocalForge:
    """Implements `ports.Forge`."""

    def __init__(self, repository: GitRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock

    def propose(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        head = self._repository.commit(f"refs/heads/{branch}")
        if head is None:
            raise ConfigurationError(f"there is no branch {branch} to propose", fix="commit to it first")
        with self._repository.exclusive():  # else two commands might open one each for the same branch
            open_one = self.open_pull_request(branch)
            if open_one is not None:
                return self._change(
                    open_one.number, lambda pull: replace(pull, head=head, base=base, title=title, body=body)
                )
            number = max((pull.number for pull in self._pulls()), default=0) + 1
            pull = PullRequest(
                number=number, title=title, body=body, branch=branch, base=base, head=head, author=TOOLKIT_NAME,
                state="open", url=f"{self._repository.root}#{number}",
            )  # fmt: skip
            if not self._repository.create_ref(f"{PULLS}/{number}", canonical_json(asdict(pull))):
                raise OutsideError(f"pull request {number} appeared meanwhile", fix="run the command again")
            return pull

    def open_pull_request(self, branch: str) -> PullRequest | None:
        return next((pull for pull in self.open_pull_requests(branch) if pull.branch == branch), None)

    def open_pull_requests(self, prefix: str) -> Sequence[PullRequest]:
        return [pull for pull in self._pulls() if pull.branch.startswith(prefix) and pull.state == "open"]

    def latest_pull_request(self, branch: str) -> PullRequest | None:
        return next((pull for pull in reversed(self._pulls()) if pull.branch == branch), None)

    def pull_request(self, number: int) -> PullRequest:
        """Raises NotFoundError where there is none of that number."""
        found = next((pull for pull in self._pulls() if pull.number == number), None)
        if found is None:
            raise NotFoundError(f"there is no pull request {number}", where=str(self._repository.root))
        return found

    def reviews(self, number: int) -> Sequence[Review]:
        blobs = self._repository.refs(f"{REVIEWS}/{number}")
        return sorted((Review(**_read(ref, data, Review)) for ref, data in blobs.items()), key=lambda one: one.time)

    def review(self, number: int, *, reviewer: str, commit: str, approve: bool) -> Review:
        """Records what `reviewer` says about `commit`, which has to be what the pull request shows now."""
        pull = self.pull_request(number)
        if pull.state != "open":
            raise ApprovalError(f"pull request {number} is {pull.state}", fix="review an open one")
        if commit != pull.head:
            raise ApprovalError(
                f"pull request {number} shows {pull.head[:12]} by now, not {commit[:12]}", fix="look again"
            )
        review = Review(
            reviewer=reviewer,
            commit=commit,
            verdict="approved" if approve else "changes-requested",
            time=self._clock.now().isoformat(timespec="microseconds"),
        )
        position = len(self.reviews(number))
        while not self._repository.create_ref(f"{REVIEWS}/{number}/{position}", canonical_json(asdict(review))):
            position += 1
        return review

    def last_pusher(self, number: int) -> str:
        return self._repository.committer(self.pull_request(number).head)

    def members(self, team: str) -> frozenset[str]:
        return frozenset(self._repository.settings(f"mlops-ci.{team.removeprefix('@')}.member"))

    def merge(self, number: int, *, head: str, message: str) -> str:
        pull = self.pull_request(number)
        if pull.state == "merged":
            return pull.merge_commit
        if pull.state == "closed" or pull.head != head:
            raise ApprovalError(
                f"pull request {number} is {pull.state} and shows {pull.head[:12]}, approved was {head[:12]}",
                fix="look at what it shows now and approve that",
            )
        commit = self._repository.merge(head, into=pull.base, message=message)
        self._change(number, lambda pull: replace(pull, state="merged", merge_commit=commit))
        self._repository.delete_branch(pull.branch)
        return commit

    def pull_request_of(self, commit: str, branch: str, owner: str) -> PullRequest | None:  # noqa: ARG002  # one owner
        found = self.open_pull_request(branch)
        return found if found is not None and found.head == commit else None

    def close(self, number: int, *, comment: str, by: str = "") -> None:
        """As `ports.Forge`; `by` is the person who does it."""
        pull = self.pull_request(number)
        if pull.state != "open":
            return

        def closed(now: PullRequest) -> PullRequest:
            return (
                now
                if now.state != "open"
                else replace(now, state="closed", body=f"{now.body}\n\n{comment}", closed_by=by)
            )

        if self._change(number, closed).state == "closed":
            self._repository.delete_branch(pull.branch)

    def _pulls(self) -> list[PullRequest]:
        """All pull requests, oldest first, each as its branch shows it now."""
        pulls = [_pull(ref, data) for ref, data in self._repository.refs(PULLS).items()]
        return sorted((self._current(pull) for pull in pulls), key=lambda pull: pull.number)

    def _current(self, pull: PullRequest) -> PullRequest:
        """An open one shows its branch's commit, and is merged where its base has that, by whatever means it got there.

        The commit that was proposed is asked for, too: by now the branch may be that of the next proposal.
        """
        if pull.state != "open":
            return pull
        shown = self._repository.commit(f"refs/heads/{pull.branch}") or pull.head
        for head in (pull.head, shown):
            commit = self._repository.merged(head, into=pull.base)
            if commit:
                return replace(pull, head=head, state="merged", merge_commit=commit)
        return replace(pull, head=shown)

    def _change(self, number: int, change: Callable[[PullRequest], PullRequest]) -> PullRequest:
        """Keeps what `change` makes of the pull request; it is asked again where another command was faster."""
        ref = f"{PULLS}/{number}"
        for _ in range(ATTEMPTS):
            before = self._repository.refs(ref)[ref]
            after = change(_pull(ref, before))
            if self._repository.replace_ref(ref, canonical_json(asdict(after)), before=before):
                return after
        raise OutsideError(f"pull request {number} is changed all the time", fix="run the command again")


def _pull(ref: str, data: bytes) -> PullRequest:
    pull = PullRequest(**_read(ref, data, PullRequest))
    if ref != f"{PULLS}/{pull.number}":
        raise _spoilt(ref, f"it calls itself number {pull.number}")
    return pull


def _read(ref: str, data: bytes, kind: type) -> Mapping[str, Any]:
    """What was kept under the ref. Raises IntegrityError where it is no such record."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _spoilt(ref, "it is no JSON") from error
    faults = misfits(value, kind)
    if faults:
        raise _spoilt(ref, "; ".join(faults))
    return dict(value)


def _spoilt(ref: str, what: str) -> IntegrityError:
    return IntegrityError(
        f"the local forge cannot read {ref}: {what}",
        where=ref,
        fix=f"look at it (git cat-file -p {ref}) and remove it (git update-ref -d {ref}): mlops-ci did not write it so",
    )
