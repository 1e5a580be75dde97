"""A GitLab of one project, on a real bare repository: what a test looks at, and what people do there."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.forges import stand_in as forges
from tests.forges.stand_in import NO_COMMIT, Account, Answer, Call, Refusal, Route, Token, page_of, password_of
from tests.github.git_store import GitStore, Person

BOT = "project_1_bot_5f3c"
PEOPLE = {"dana": 30, "alice": 30, "bob": 30, "olga": 50, "erin": 20, BOT: 40}
MAINTAINER = 40


@dataclass(kw_only=True)
class MergeRequest:
    """`shown` are its versions: the commit, and since when."""

    iid: int
    title: str
    description: str
    branch: str
    base: str
    author: Account
    project: int
    sha: str
    created: str
    state: str = "opened"
    shown: list[tuple[int, str, str]] = field(default_factory=list)
    approvals: dict[str, str] = field(default_factory=dict)
    reviewers: dict[str, str] = field(default_factory=dict)
    merge_commit: str | None = None
    closed_by: Account | None = None
    merged_by: Account | None = None
    lag: int = 0


class GitLab(forges.StandIn):
    """The project `acme/models`, whose number is 1.

    `merge_level` is who may merge into a protected branch, `approvals_required` what the project's rule asks for,
    `reset_on_push` whether a push takes approvals away, `lag` how many reads of a merge request show the old commit
    after a push, `tells_times` whether approvals have a time (GitLab 18.1 and later).
    """

    ROUTES: list[Route] = []  # noqa: RUF012  # each class has its own
    MIXES = True
    PROTECTED_WORDS = "GitLab: You are not allowed to push code to protected branches on this project."

    def __init__(self, bare: Path, folder: Path) -> None:
        super().__init__(bare, folder)
        self.ids = itertools.count(101)
        self.numbers = itertools.count(1)
        for number, (name, level) in enumerate(PEOPLE.items(), start=11):
            self.accounts[name] = Account(id=number, name=name, bot=name == BOT, level=level)
        self.groups: dict[str, list[str]] = {}
        self.forks: dict[int, tuple[str, GitStore]] = {}
        self.fork_refs: dict[int, dict[str, str]] = {}
        self.merge_requests: dict[int, MergeRequest] = {}
        self.notes: list[dict[str, Any]] = []
        self.issues: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.environments: list[dict[str, Any]] = []
        self.deployments: list[dict[str, Any]] = []
        self.pipelines: dict[int, dict[str, Any]] = {}
        self.releases: dict[str, dict[str, Any]] = {}
        self.merge_method = "merge"
        self.merge_level = 30
        self.approvals_required = 0
        self.pipelines_must_succeed = False
        self.reset_on_push = False
        self.tells_times = True
        self.lag = 0
        self.token = self.token_of(BOT, "api")
        self.sync(self.accounts["dana"])

    # What people do.

    def open(self, branch: str, *, base: str = "main", by: str = "dana", title: str = "A change", fork: int = 0) -> int:
        with self.turn():
            return self.opened(self.accounts[by], branch, base, title, "", project=fork or 1).iid

    def approve(self, iid: int, by: str) -> None:
        with self.turn():
            self.approved(self.merge_requests[iid], self.accounts[by])

    def unapprove(self, iid: int, by: str) -> None:
        with self.turn():
            del self.merge_requests[iid].approvals[by]
            self.say(iid, self.accounts[by], "unapproved this merge request", system=True)

    def request_changes(self, iid: int, by: str) -> None:
        with self.turn():
            one = self.merge_requests[iid]
            one.approvals.pop(by, None)
            one.reviewers[by] = "requested_changes"
            self.say(iid, self.accounts[by], "requested changes", system=True)

    def comment(self, iid: int, by: str, body: str) -> int:
        with self.turn():
            return int(self.say(iid, self.accounts[by], body)["id"])

    def close(self, iid: int, by: str) -> None:
        with self.turn():
            one = self.merge_requests[iid]
            one.state, one.closed_by = "closed", self.accounts[by]

    def merge(self, iid: int, by: str) -> str:
        with self.turn():
            return self.merged(self.merge_requests[iid], self.accounts[by], "")

    def fork(self, owner: str) -> tuple[int, Path]:
        """The number and the bare repository of a fork in the namespace of somebody who is no member."""
        number, path = 100 + len(self.forks), self.folder / f"{owner}.git"
        subprocess.run(["git", "clone", "-q", "--bare", str(self.store.path), str(path)], check=True)
        self.accounts.setdefault(owner, Account(id=number + 900, name=owner))
        self.forks[number] = (owner, GitStore(path))
        return number, path

    # How it works.

    def refuse(self, status: int, words: str) -> Refusal:
        return Refusal(status, {"message": words})

    def account_of(self, header: str) -> Token | None:
        return self.tokens.get(password_of(header))

    def admit(self, route: Route, token: Token, method: str) -> None:
        if method != "GET" and not token.scopes & {"api"}:
            raise Refusal(
                403,
                {
                    "error": "insufficient_scope",
                    "error_description": "The request requires higher privileges than provided by the access token.",
                    "scope": "api",
                },
            )
        if token.account.level < 10:
            raise self.refuse(404, "404 Project Not Found")
        if token.account.level < route.level:
            raise self.refuse(403, "403 Forbidden")

    def git_path(self, path: str) -> tuple[Path, str] | None:
        start = "/acme/models.git"
        return (self.store.path, path.removeprefix(start)) if path.startswith(f"{start}/") else None

    def moved(self, ref: str, before: str, after: str, by: Account) -> None:
        branch = ref.removeprefix("refs/heads/")
        kind = "created" if before == NO_COMMIT else "removed" if after == NO_COMMIT else "pushed"
        self.pushes.append({
            "id": next(self.ids), "project_id": 1, "action_name": f"{kind} to" if kind == "pushed" else kind,
            "created_at": self.now(), "author": self.user(by), "author_id": by.id, "author_username": by.name,
            "push_data": {"commit_count": 1, "action": kind, "ref_type": "branch", "ref": branch, "ref_count": None,
                          "commit_from": None if before == NO_COMMIT else before,
                          "commit_to": None if after == NO_COMMIT else after, "commit_title": "x"},
        })  # fmt: skip
        for one in self.merge_requests.values():
            if one.state == "opened" and (one.project, one.branch) == (1, branch) and after != NO_COMMIT:
                self._show(one, after)
            if one.state == "opened" and one.base == branch and self.store.ancestor(one.sha, after):
                one.state, one.merged_by = "merged", by

    def _show(self, one: MergeRequest, sha: str) -> None:
        if sha == one.sha:
            return
        one.sha, one.lag = sha, self.lag
        one.shown.append((next(self.ids), sha, self.now()))
        if self.reset_on_push:
            one.approvals.clear()

    def sync(self, by: Account) -> None:
        super().sync(by)
        for number, (owner, store) in self.forks.items():
            for one in self.merge_requests.values():
                if one.state == "opened" and one.project == number:
                    shown = store.refs(f"refs/heads/{one.branch}").get(f"refs/heads/{one.branch}")
                    if shown and shown != one.sha:
                        self.store.run("fetch", "-q", str(store.path), shown)
                        self._show(one, shown)
                        assert owner

    def opened(
        self, by: Account, branch: str, base: str, title: str, description: str, *, project: int = 1
    ) -> MergeRequest:
        store = self.store if project == 1 else self.forks[project][1]
        sha = store.refs(f"refs/heads/{branch}").get(f"refs/heads/{branch}")
        if sha is None or base not in {ref.removeprefix("refs/heads/") for ref in self.known}:
            raise self.refuse(400, '"source_branch" does not exist')
        rival = next((one for one in self.merge_requests.values() if one.state == "opened"
                      and (one.project, one.branch, one.base) == (project, branch, base)), None)  # fmt: skip
        if rival:
            words = f"Another open merge request already exists for this source branch: !{rival.iid}"
            raise Refusal(409, {"message": [words]})
        if project != 1:
            self.store.run("fetch", "-q", str(store.path), sha)
        one = MergeRequest(
            iid=next(self.numbers), title=title, description=description, branch=branch, base=base, author=by,
            project=project, sha=sha, created=self.now(),
        )  # fmt: skip
        one.shown.append((next(self.ids), sha, self.now()))
        self.merge_requests[one.iid] = one
        return one

    def approved(self, one: MergeRequest, by: Account) -> None:
        one.approvals[by.name] = self.now()
        one.reviewers.pop(by.name, None)
        self.say(one.iid, by, "approved this merge request", system=True)

    def say(
        self, iid: int, by: Account, body: str, *, system: bool = False, kind: str = "MergeRequest"
    ) -> dict[str, Any]:
        note = {
            "id": next(self.ids), "body": body, "author": by, "system": system, "noteable_iid": iid,
            "noteable_type": kind, "created_at": self.now(), "updated_at": self.now(),
        }  # fmt: skip
        self.notes.append(note)
        return note

    def status_of(self, one: MergeRequest) -> str:
        """GitLab's `detailed_merge_status`."""
        if one.state != "opened":
            return "not_open"
        if one.title.startswith("Draft:"):
            return "draft_status"
        if len(one.approvals) < self.approvals_required:
            return "not_approved"
        if "requested_changes" in one.reviewers.values():
            return "requested_changes"
        good = {status["sha"] for status in self.statuses if status["status"] == "success"}
        if self.pipelines_must_succeed and one.sha not in good:
            return "ci_must_pass"
        base = self.known[f"refs/heads/{one.base}"]
        if self.merge_method == "ff" and not self.store.ancestor(base, one.sha):
            return "need_rebase"
        return "mergeable" if self.store.merged_tree(base, one.sha) else "conflict"

    def merged(self, one: MergeRequest, by: Account, message: str) -> str:
        status = self.status_of(one)
        if one.base in self.protected and by.level < self.merge_level:
            raise self.refuse(401, "401 Unauthorized")
        if status in ("conflict", "need_rebase"):
            raise self.refuse(422, "Branch cannot be merged")
        if status != "mergeable":
            raise self.refuse(405, "405 Method Not Allowed")
        base = self.known[f"refs/heads/{one.base}"]
        one.state, one.merged_by = "merged", by
        commit = one.sha
        if self.merge_method == "merge":
            who = Person(name=by.name, email=f"{by.name}@example.com", date=self.now())
            text = message or f"Merge branch '{one.branch}' into '{one.base}'"
            tree = self.store.merged_tree(base, one.sha) or ""
            commit = self.store.write_commit(tree, [base, one.sha], text, who, who)
            one.merge_commit = commit
        self.move(f"refs/heads/{one.base}", commit, by)
        return commit

    # Shapes.

    def user(self, account: Account) -> dict[str, Any]:
        return {
            "id": account.id, "username": account.name, "name": account.name.title(), "state": "active",
            "locked": False, "avatar_url": None, "web_url": f"{self.url}/{account.name}",
        }  # fmt: skip

    def note(self, note: dict[str, Any]) -> dict[str, Any]:
        return {**note, "author": self.user(note["author"]), "attachment": None, "resolvable": False, "type": None}

    def shape(self, one: MergeRequest) -> dict[str, Any]:
        late = one.lag > 0
        one.lag -= late
        sha = one.shown[-2][1] if late and len(one.shown) > 1 else one.sha
        return {
            "id": 5000 + one.iid, "iid": one.iid, "project_id": 1, "title": one.title, "description": one.description,
            "state": one.state, "created_at": one.created, "updated_at": self.now(),
            "merged_at": self.now() if one.state == "merged" else None,
            "merge_user": self.user(one.merged_by) if one.merged_by else None,
            "closed_by": self.user(one.closed_by) if one.closed_by else None,
            "closed_at": self.now() if one.state == "closed" else None,
            "target_branch": one.base, "source_branch": one.branch, "author": self.user(one.author),
            "source_project_id": None if one.project > 1 and one.project not in self.forks else one.project,
            "target_project_id": 1, "labels": [], "draft": one.title.startswith("Draft:"), "sha": sha,
            "merge_commit_sha": one.merge_commit, "squash_commit_sha": None, "squash": False,
            "merge_status": "can_be_merged", "detailed_merge_status": self.status_of(one),
            "has_conflicts": self.status_of(one) == "conflict", "references": {"short": f"!{one.iid}"},
            "web_url": f"{self.url}/acme/models/-/merge_requests/{one.iid}", "user_notes_count": 0,
        }  # fmt: skip

    def project(self, number: int) -> dict[str, Any]:
        owner, name = ("acme" if number == 1 else self.forks[number][0]), "models"
        web = f"{self.url}/{owner}/{name}"
        return {
            "id": number, "name": name, "path": name, "path_with_namespace": f"{owner}/{name}",
            "default_branch": "main", "http_url_to_repo": f"{web}.git", "web_url": web, "visibility": "private",
            "namespace": {"id": 7, "name": owner, "path": owner, "kind": "group", "full_path": owner},
            "merge_method": self.merge_method, "squash_option": "default_off", "archived": False,
        }  # fmt: skip


def paged(forge: GitLab, call: Call, rows: Sequence[Any]) -> Answer:
    """A page of the list, with GitLab's headers."""
    part, number, last = page_of(rows, call.query)
    links = {"first": 1, "last": last} | ({"next": number + 1} if number < last else {})
    address = f"{forge.url}{call.path}"
    link = ", ".join(
        f'<{address}?{urlencode({**call.query, "page": where})}>; rel="{name}"' for name, where in links.items()
    )
    following = str(number + 1) if number < last else ""
    headers = {"Link": link, "X-Page": str(number), "X-Per-Page": call.query.get("per_page", "20"),
               "X-Total": str(len(rows)), "X-Total-Pages": str(last), "X-Next-Page": following,
               "X-Prev-Page": str(number - 1) if number > 1 else ""}  # fmt: skip
    return Answer(body=list(part), headers=headers)


@contextmanager
def serving(bare: Path) -> Iterator[GitLab]:
    from tests.gitlab import routes  # noqa: F401  # declares what is answered

    with forges.serving(lambda folder: GitLab(bare, folder)) as gitlab:
        yield gitlab
