"""An Azure DevOps of one project, on a real bare repository: what a test looks at, and what people do there."""

from __future__ import annotations

import itertools
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.forges import stand_in as forges
from tests.forges.stand_in import NO_COMMIT, Account, Call, Refusal, Route, Token, password_of
from tests.github.git_store import GitStore, Person

BOT = "Build\\5d3f"
PEOPLE = {"dana": 30, "alice": 30, "bob": 30, "olga": 50, BOT: 40}
REPOSITORY, PROJECT = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
SYSTEM = "00000002-0000-8888-8000-000000000000"


@dataclass(kw_only=True)
class PullRequest:
    """`iterations` are its versions: the commit, and since when."""

    number: int
    title: str
    description: str
    branch: str
    base: str
    author: Account
    repository: str
    sha: str
    created: str
    status: str = "active"
    iterations: list[tuple[str, str]] = field(default_factory=list)
    votes: dict[str, int] = field(default_factory=dict)
    merge_commit: str | None = None
    merge_status: str = "succeeded"
    closed_by: Account | None = None
    threads: list[dict[str, Any]] = field(default_factory=list)
    lag: int = 0
    busy: int = 0


class AzureDevOps(forges.StandIn):
    """The repository `models` in the project `Models` of the collection `/acme`.

    `approvals_required` is the branch's policy, `strategies` the ways of merging that it allows, `reset_on_push`
    whether a push takes votes away, `lag` how many reads of a pull request show the old commit after a push, `busy` how
    many reads a completion takes, `server` whether threads name who voted as a Server does, `versions` what it speaks.
    """

    ROUTES: list[Route] = []  # noqa: RUF012  # each class has its own
    ALWAYS = frozenset({"api-version"})
    PROTECTED_WORDS = (
        "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch."
    )

    def __init__(self, bare: Path, folder: Path) -> None:
        super().__init__(bare, folder)
        self.ids = itertools.count(101)
        self.numbers = itertools.count(1)
        for name, level in PEOPLE.items():
            self.accounts[name] = self._account(name, level)
        self.teams: dict[str, list[Account]] = {}
        self.forks: dict[str, tuple[str, GitStore]] = {}
        self.pulls: dict[int, PullRequest] = {}
        self.statuses: list[dict[str, Any]] = []
        self.items: dict[int, dict[str, Any]] = {}
        self.pipelines: dict[str, set[str]] = {}
        self.runs: list[dict[str, Any]] = []
        self.builds: dict[int, dict[str, Any]] = {}
        self.approvals_required = 0
        self.strategies = ("noFastForward", "squash", "rebase", "rebaseMerge")
        self.reset_on_push = False
        self.lag = self.busy = 0
        self.server = False
        self.versions = ("7.1", "7.1-preview")
        self.item_types = ("Epic", "Issue", "Task")
        self.token = self.token_of(BOT, "api")
        self.sync(self.accounts["dana"])

    def _account(self, name: str, level: int) -> Account:
        bot = name.startswith("Build")
        number = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        return Account(id=number, name=name if bot else f"{name}@acme.com", bot=bot, level=level)

    # What people do.

    def open(
        self, branch: str, *, base: str = "main", by: str = "dana", title: str = "A change", fork: str = ""
    ) -> int:
        with self.turn():
            return self.opened(self.accounts[by], branch, base, title, "", repository=fork or REPOSITORY).number

    def vote(self, number: int, by: str, value: int) -> None:
        with self.turn():
            self.voted(self.pulls[number], self.accounts[by], value)

    def approve(self, number: int, by: str) -> None:
        self.vote(number, by, 10)

    def request_changes(self, number: int, by: str) -> None:
        self.vote(number, by, -5)

    def close(self, number: int, by: str) -> None:
        with self.turn():
            one = self.pulls[number]
            one.status, one.closed_by = "abandoned", self.accounts[by]

    def merge(self, number: int, by: str) -> str:
        with self.turn():
            return self.merged(self.pulls[number], self.accounts[by], "noFastForward", "")

    def comment(self, number: int, by: str, content: str, *, kind: str = "text", **properties: str) -> None:
        """As anybody can write one by the API, with whatever properties."""
        with self.turn():
            self.say(self.pulls[number], self.user(self.accounts[by]), content, kind=kind, properties=properties)

    def fork(self, owner: str) -> tuple[str, Path]:
        """The id and the bare repository of a fork that lies in a project of somebody else."""
        number, path = str(uuid.UUID(int=100 + len(self.forks))), self.folder / f"{owner}.git"
        subprocess.run(["git", "clone", "-q", "--bare", str(self.store.path), str(path)], check=True)
        self.accounts.setdefault(owner, self._account(owner, 30))
        self.forks[number] = (owner, GitStore(path))
        return number, path

    # How it works.

    def refuse(self, status: int, words: str, key: str = "VssServiceException") -> Refusal:
        body = {"$id": "1", "innerException": None, "message": words, "typeKey": key, "errorCode": 0, "eventId": 3000}
        return Refusal(status, body)

    def account_of(self, header: str) -> Token | None:
        return self.tokens.get(password_of(header))

    def admit(self, route: Route, token: Token, method: str) -> None:
        if token.account.level < route.level:
            raise self.refuse(403, "TF401027: You need the Git 'GenericContribute' permission to perform this action.")

    def answer(self, method: str, path: str, query: Any, data: bytes, header: str) -> Any:
        if self.account_of(header) is None:  # not an error, to Azure DevOps, but a page to sign in
            return forges.Answer(
                status=203, body="Azure DevOps Services | Sign In", headers={"Content-Type": "text/html"}
            )
        if method != "OPTIONS" and not self._speaks(query.get("api-version", "")):
            version = query.get("api-version") or "none"
            raise self.refuse(400, f"The requested REST API version of {version} is out of range",
                              "VssVersionOutOfRangeException")  # fmt: skip
        return super().answer(method, path, query, data, header)

    def _speaks(self, version: str) -> bool:
        return version == "" or version.split("-preview", maxsplit=1)[0] in self.versions

    def git_path(self, path: str) -> tuple[Path, str] | None:
        start = "/acme/Models/_git/models"
        rest = path.removeprefix(start)
        return (self.store.path, rest) if path.startswith((f"{start}/info", f"{start}/git-")) else None

    def moved(self, ref: str, before: str, after: str, by: Account) -> None:
        branch = ref.removeprefix("refs/heads/")
        update = {"name": ref, "oldObjectId": before, "newObjectId": after, "repositoryId": REPOSITORY}
        self.pushes.append(
            {"pushId": next(self.ids), "date": self.now(), "pushedBy": self.user(by), "refUpdates": [update]}
        )
        for one in self.pulls.values():
            if one.status == "active" and (one.repository, one.branch) == (REPOSITORY, branch) and after != NO_COMMIT:
                self._show(one, after, by)

    def _show(self, one: PullRequest, sha: str, by: Account) -> None:
        if sha == one.sha:
            return
        one.sha, one.lag = sha, self.lag
        one.iterations.append((sha, self.now()))
        words = {"CodeReviewThreadType": "RefUpdate", "CodeReviewRefNewHeadCommit": sha}
        self.say(one, self.system, f"{by.name} pushed 1 commit", kind="system", properties=words)
        if self.reset_on_push:
            one.votes.clear()

    def opened(
        self, by: Account, branch: str, base: str, title: str, description: str, *, repository: str = REPOSITORY
    ) -> PullRequest:
        store = self.store if repository == REPOSITORY else self.forks[repository][1]
        sha = store.refs(f"refs/heads/{branch}").get(f"refs/heads/{branch}")
        if sha is None or f"refs/heads/{base}" not in self.known:
            raise self.refuse(400, "TF401398: The pull request cannot be activated: a branch no longer exists")
        if len(title) > 400 or len(description) > 4000:
            raise self.refuse(400, "The title or description of the pull request is too long.")
        if any((one.status, one.repository, one.branch, one.base) == ("active", repository, branch, base)
               for one in self.pulls.values()):  # fmt: skip
            raise self.refuse(409, "TF401179: An active pull request for the source and target branch already exists.",
                              "GitPullRequestExistsException")  # fmt: skip
        if repository != REPOSITORY:
            self.store.run("fetch", "-q", str(store.path), sha)
        one = PullRequest(
            number=next(self.numbers), title=title, description=description, branch=branch, base=base, author=by,
            repository=repository, sha=sha, created=self.now(), lag=0,
        )  # fmt: skip
        one.iterations.append((sha, self.now()))
        self.pulls[one.number] = one
        return one

    def voted(self, one: PullRequest, by: Account, value: int) -> None:
        if value not in (10, 5, 0, -5, -10):
            raise self.refuse(400, f"{value} is no vote")
        one.votes[by.name] = value
        who = {"CodeReviewVotedByTfId": by.id} if self.server else {"CodeReviewVotedByIdentity": "1"}
        words = {"CodeReviewThreadType": "VoteUpdate", "CodeReviewVoteResult": str(value), **who}
        self.say(one, self.system, f"{by.name} voted {value}", kind="system", properties=words, about=by)

    def say(
        self, one: PullRequest, author: Any, content: str, *, kind: str = "text", properties: Mapping[str, str] = {},
        status: str | None = None, about: Account | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        comment = {"id": 1, "parentCommentId": 0, "author": author, "content": content, "commentType": kind,
                   "publishedDate": self.now(), "lastUpdatedDate": self.now(), "isDeleted": False}  # fmt: skip
        thread = {
            "id": next(self.ids), "publishedDate": self.now(), "lastUpdatedDate": self.now(), "comments": [comment],
            "properties": {name: {"$type": "System.String", "$value": text} for name, text in properties.items()},
            "identities": {"1": self.user(about)} if about else None, "isDeleted": False,
            **({"status": status} if status else {}),
        }  # fmt: skip
        one.threads.append(thread)
        return thread

    def merged(self, one: PullRequest, by: Account, strategy: str, message: str) -> str:
        base = self.known[f"refs/heads/{one.base}"]
        if strategy not in self.strategies:
            raise self.refuse(409, "The merge strategy is not allowed by a policy of the branch.")
        if sum(vote > 0 for vote in one.votes.values()) < self.approvals_required:
            raise self.refuse(403, "TF402455: The pull request cannot be completed: policies of the branch are not met")
        tree = self.store.merged_tree(base, one.sha)
        if tree is None:
            one.merge_status = "conflicts"
            return ""
        who = Person(name=by.name, email="x@acme.com", date=self.now())
        parents = [base, one.sha] if strategy == "noFastForward" else [base]
        commit = self.store.write_commit(tree, parents, message or f"Merged PR {one.number}", who, who)
        one.status, one.closed_by, one.merge_commit, one.busy = "completed", by, commit, self.busy
        self.move(f"refs/heads/{one.base}", commit, by)
        return commit

    # Shapes.

    @property
    def system(self) -> dict[str, Any]:
        if self.server:
            return {"id": str(uuid.UUID(int=9)), "displayName": "[acme]\\Project Collection Service Accounts",
                    "uniqueName": "vstfs:///Framework/Generic/9", "isContainer": True}  # fmt: skip
        return {"id": SYSTEM, "displayName": "Microsoft.VisualStudio.Services.TFS", "uniqueName": ""}

    def user(self, account: Account) -> dict[str, Any]:
        descriptor = f"{'svc' if account.bot else 'aad'}.{account.id}"
        return {"id": account.id, "displayName": account.name.split("@")[0].title(), "uniqueName": account.name,
                "descriptor": descriptor, "url": f"{self.url}/acme/_apis/Identities/{account.id}"}  # fmt: skip

    def shape(self, one: PullRequest, *, full: bool = True) -> dict[str, Any]:
        late = one.lag > 0
        one.lag -= late
        sha = one.iterations[-2][0] if late and len(one.iterations) > 1 else one.sha
        busy = one.busy > 0
        one.busy -= busy
        fork = {} if one.repository == REPOSITORY else {"forkSource": {
            "name": f"refs/heads/{one.branch}", "repository": self.repository(one.repository)}}  # fmt: skip
        ended = one.status != "active" and not busy
        return {
            "repository": self.repository(), "pullRequestId": one.number, "codeReviewId": one.number,
            "status": one.status if ended else "active", "createdBy": self.user(one.author),
            "creationDate": one.created,
            "title": one.title, "description": one.description if full else one.description[:400],
            "sourceRefName": f"refs/heads/{one.branch}", "targetRefName": f"refs/heads/{one.base}",
            "mergeStatus": "queued" if busy else one.merge_status, "isDraft": False, "supportsIterations": True,
            "lastMergeSourceCommit": {"commitId": sha}, "reviewers": self.reviewers(one),
            "lastMergeTargetCommit": {"commitId": self.known[f"refs/heads/{one.base}"]},
            **({"lastMergeCommit": {"commitId": one.merge_commit}} if one.merge_commit else {}),
            **({"closedBy": self.user(one.closed_by)} if ended and one.closed_by else {}), **fork,
        }  # fmt: skip

    def reviewers(self, one: PullRequest) -> list[dict[str, Any]]:
        people = {account.name: account for account in self.accounts.values()}
        return [{**self.user(people[name]), "vote": vote, "hasDeclined": False} for name, vote in one.votes.items()]

    def repository(self, number: str = REPOSITORY) -> dict[str, Any]:
        project = "Models" if number == REPOSITORY else self.forks[number][0]
        web = f"{self.url}/acme/{project}/_git/models"
        return {"id": number, "name": "models", "url": f"{self.url}/acme/_apis/git/repositories/{number}",
                "project": {"id": PROJECT, "name": project, "state": "wellFormed"}, "defaultBranch": "refs/heads/main",
                "size": 1, "remoteUrl": web.replace("://", "://acme@"), "webUrl": web, "isDisabled": False}  # fmt: skip


def listed(rows: Sequence[Any]) -> dict[str, Any]:
    return {"value": list(rows), "count": len(rows)}


def skipped(call: Call, rows: Sequence[Any]) -> dict[str, Any]:
    """What `$skip` and `$top` leave; without them no more than 100."""
    skip, top = int(call.query.get("$skip", 0)), min(int(call.query.get("$top", 100)), 1000)
    return listed(rows[skip : skip + top])


@contextmanager
def serving(bare: Path) -> Iterator[AzureDevOps]:
    from tests.azure_devops import routes  # noqa: F401  # declares what is answered

    with forges.serving(lambda folder: AzureDevOps(bare, folder)) as azure:
        yield azure
