"""Where models go: Git and its forge, the targets that serve, and the services themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from mlops_ci.core.approval import Review
    from mlops_ci.core.load import LoadPlan, Traffic
    from mlops_ci.core.log_entry import LogEntry
    from mlops_ci.core.predictions import Predictions
    from mlops_ci.core.records import Release
    from mlops_ci.core.signature import Signature
    from mlops_ci.core.traffic import LiveCounts


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A proposal to merge `branch` into `base`; `head` is the commit it shows now.

    A branch of somebody else's copy of the repository is called `owner:branch`, so it is never taken for one of ours.
    `closed_by` is who closed it unmerged; empty where it was mlops-ci itself, or another bot.
    """

    number: int
    title: str
    body: str
    branch: str
    base: str
    head: str
    author: str
    state: Literal["open", "merged", "closed"]
    url: str
    merge_commit: str = ""
    closed_by: str = ""


class Forge(Protocol):
    """Where people propose, review and merge changes: GitHub, or plain Git on this machine."""

    def propose(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Opens a pull request for the branch, or brings the open one up to date."""

    def open_pull_request(self, branch: str) -> PullRequest | None: ...

    def open_pull_requests(self, prefix: str) -> Sequence[PullRequest]:
        """Those of all branches whose names begin so, oldest first."""

    def latest_pull_request(self, branch: str) -> PullRequest | None:
        """The newest one of the branch, whatever became of it."""

    def pull_request(self, number: int) -> PullRequest:
        """Raises NotFoundError where there is none of that number."""

    def pull_request_of(self, commit: str, branch: str, owner: str) -> PullRequest | None:
        """The open one that shows exactly this commit of the branch in the repository of that owner, maybe a fork."""

    def reviews(self, number: int) -> Sequence[Review]:
        """In the order in which they were given."""

    def last_pusher(self, number: int) -> str: ...

    def members(self, team: str) -> frozenset[str]:
        """Who belongs to `@organisation/team`; empty where the team is not known."""

    def merge(self, number: int, *, head: str, message: str) -> str:
        """The merge commit, also when it is merged already.

        Raises ApprovalError where the branch shows another commit than `head` by now, or where the forge's own rules
        keep us from merging (a protected branch), and ConfigurationError where it does not merge into its base.
        """

    def close(self, number: int, *, comment: str) -> None:
        """Closes it where it is open, and tells people why."""


class Repository(Protocol):
    """The team's Git repository."""

    @property
    def root(self) -> Path: ...

    @property
    def main(self) -> str:
        """The branch that says what should be; HEAD where it is detached (as in CI) or there is no such branch."""

    def commit(self, ref: str = "HEAD") -> str | None:
        """The commit's full hash, or None where the ref does not exist."""

    def read(self, path: str, *, ref: str, from_top: bool = False) -> bytes | None:
        """The file as committed at `ref`; None where there is none. `path` is relative to the root, or to the top of
        the repository in which the root lies.
        """

    def from_top(self, path: str) -> str:
        """The path, relative to the root, as seen from the top of the repository."""

    def changed(self, before: str, after: str) -> Sequence[str]:
        """The paths, from the top of the repository, of all files that differ between two commits."""

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that both rest on; None where they have none in common."""

    def commit_files(
        self,
        files: Mapping[str, bytes | None],
        *,
        branch: str,
        onto: str,
        message: str,
        author: str = "",
        replace: bool = False,
    ) -> str:
        """Commits the files onto commit `onto` and moves `branch` there, made new where there is none.

        A file that is None is taken away.
        The work tree follows if it shows that branch. Raises OutsideError where the branch shows another commit than
        `onto` (unless it is to be replaced), ConfigurationError where the files have changes that are not committed.
        """


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One scoring service; `trouble` is what is known against it, empty where nothing is."""

    release: str
    url: str
    healthy: bool
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class RecentRequests:
    """Records that users sent, newest last. Requests of which the log leaves out columns, `redacted`, are not there."""

    records: Sequence[Mapping[str, Any]] = ()
    redacted: tuple[str, ...] = ()


class Target(Protocol):
    """Where an environment's scoring services run. Everything is safe to repeat after a kill."""

    def exclusive(self, environment: str, model: str) -> AbstractContextManager[None]:
        """Keeps a second reconcile of the same environment and model away; raises OutsideError where one is at work."""

    def instances(self, environment: str, model: str) -> Sequence[Instance]: ...

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:
        """Starts the release's service, or finds it running, and returns when it is ready; it gets no traffic yet.

        Raises VerificationError with the service's last words where it does not become ready.
        """

    def stop(self, environment: str, model: str, release: str) -> None:
        """Lets requests in flight finish, then ends the service; nothing to do where there is none."""

    def route(self, environment: str, model: str, shares: Mapping[str, int], *, shadow: str | None = None) -> None:
        """Divides the environment's traffic by release id in whole per cent; returns when the division is in force.

        The release `shadow` gets a copy of every request, and its answers are thrown away. Raises OutsideError where
        the router does not take the division over; what was in force before then still is, on disk too.
        """

    def traffic(self, environment: str, model: str) -> Mapping[str, LiveCounts]:
        """What the router has counted of each release that has, or had, a part of the environment's traffic."""

    def shares(self, environment: str, model: str) -> Mapping[str, int]:
        """The division in force; empty where nothing is routed."""

    def url(self, environment: str, model: str) -> str:
        """The stable address at which the environment serves the model, whatever the release."""

    def recent_requests(self, environment: str, model: str, release: str, limit: int) -> RecentRequests:
        """The latest records that the release was asked to score, from its prediction log."""

    def logged_requests(self, environment: str, model: str) -> Iterator[LogEntry]:
        """What all releases that ever served there have logged, in any order."""

    def evidence(self) -> Sequence[str]:
        """Digests of what was kept in the store about changes since the last time that it was asked; often none."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back to one HTTP request; header names are in small letters.

    Where no whole answer came, `failure` says by name why, and `reached` whether anybody listens there at all.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    failure: str = ""
    reached: bool = True

    @property
    def is_html(self) -> bool:
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "text/html" or self.body.lstrip()[:1] == b"<"

    @property
    def summary(self) -> str:
        """What it is, in none of its own words: whoever answers may repeat what was sent, private values too."""
        if self.failure:
            return self.failure
        if REDIRECTS[0] <= self.status < REDIRECTS[1]:
            place = self.headers.get("location", "").partition("?")[0][:100]
            return f"status {self.status}, a redirect to {place or 'nowhere'}"
        if self.is_html:
            return f"status {self.status} with an HTML page, as a proxy or a web server sends it"
        return f"status {self.status}"


REDIRECTS = (300, 400)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a live service said to one request: `error` is empty where it answered well.

    `error` names what was wrong and repeats nothing that was sent; `words` are the service's own, which may.
    """

    predictions: Predictions | None
    release: str
    milliseconds: float
    error: str = ""
    words: str = ""


PROBE = "mlops-probe-"
"""How the ids of our own requests begin, by which a prediction log tells them from those of users."""


class ScoringClient(Protocol):
    """Talks to a live scoring service as its users do. Nothing that the service does wrong is raised, but answered."""

    def ask(
        self,
        url: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
        announced: int | None = None,
    ) -> Reply:
        """One request, a POST where it has a body. With `announced` the headers say that so many bytes will follow,
        and none does.
        """

    def metadata(self, url: str, model: str) -> Mapping[str, Any]:
        """The model's metadata in the Open Inference Protocol. Raises OutsideError where there is none."""

    def score(self, url: str, records: Sequence[Mapping[str, Any]], signature: Signature) -> Answer:
        """Sends the records to POST /score in one request."""

    def infer(
        self, url: str, model: str, records: Sequence[Mapping[str, Any]], signature: Signature, *, binary: bool
    ) -> Answer:
        """Sends the records to the Open Inference Protocol's infer in one request, as JSON or as binary tensors."""

    def load(
        self,
        url: str,
        plan: LoadPlan,
        records: Sequence[Mapping[str, Any]],
        signature: Signature,
        judge: Callable[[int, Answer], str],
    ) -> Traffic:
        """Sends single records to POST /score, over and over, each when the plan says that it is due.

        `judge` is given the position of a record and the answer to it, on any thread, and names what is wrong with it.
        """
