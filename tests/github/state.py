"""What the stand-in remembers of one repository, and the few changes that several parts of the API have in common."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from tests.github import merging, shapes
from tests.github.accounts import Account, Token
from tests.github.git_store import GitStore, Person
from tests.github.settings import Protection, Settings

NO_COMMIT = "0" * 40
OUTSIDE_WORKFLOWS = ("workflow_dispatch", "repository_dispatch")
"""The only events that a job's own GITHUB_TOKEN causes and that start workflows all the same."""


@dataclass(kw_only=True)
class Pull:
    """A pull request; `head` is the commit that it shows, `base_sha` the base when it was last looked at."""

    number: int
    title: str
    body: str | None
    branch: str
    base: str
    author: str
    source: str
    head: str
    base_sha: str
    created_at: str
    updated_at: str
    draft: bool = False
    state: str = "open"
    merge_commit: str | None = None
    merged: bool = False
    merged_at: str | None = None
    merged_by: str | None = None
    closed_at: str | None = None
    closed_by: str | None = None
    reviews: list[dict[str, Any]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One that was answered; faulty answers too."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    login: str
    status: int


@dataclass(frozen=True, kw_only=True)
class Event:
    """What GitHub would start workflows for; `payload` is what GITHUB_EVENT_PATH would hold."""

    name: str
    action: str
    payload: dict[str, Any] = field(repr=False)
    starts_workflows: bool


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A ref that was moved, made or deleted, and by whom."""

    id: int
    ref: str
    before: str
    after: str
    actor: str
    time: str
    forced: bool


@dataclass(kw_only=True)
class State:
    """Everything about the repository `owner/name` that Git does not know."""

    store: GitStore
    owner: str
    name: str
    main: str
    private: bool
    scratch: Path
    url: str = ""
    pusher: str = "dana"
    slow_mergeability: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    teams: dict[str, list[str]] = field(default_factory=dict)
    forks: dict[str, GitStore] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    artifacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    dispatches: list[dict[str, Any]] = field(default_factory=list)
    moves: list[Moved] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    protections: dict[str, Protection] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    signed: set[str] = field(default_factory=set)
    known_refs: dict[str, str] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1001))
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def repository(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def api(self) -> str:
        return f"{self.url}/repos/{self.repository}"

    def now(self) -> str:
        """The time as GitHub writes it, in whole seconds: two things may well happen at the same."""
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def account(self, login: str, *, role: str = "none") -> Account:
        """The account of that name, made with `role` where there is none."""
        known = next((one for name, one in self.accounts.items() if name.lower() == login.lower()), None)
        if known is None:
            known = self.accounts[login] = Account(login=login, id=next(self.ids), role=role)
        return known

    def person(self, login: str) -> Person:
        account = self.account(login)
        return Person(
            name=login, email=f"{account.id}+{login}@users.noreply.github.com", date=datetime.now(UTC).isoformat()
        )

    def fire(self, name: str, action: str, payload: dict[str, Any], by: str) -> None:
        """An event; what a job's GITHUB_TOKEN did starts no workflow."""
        whole = {
            **({"action": action} if action else {}),
            **payload,
            "repository": shapes.repository(self),
            "organization": {"login": self.owner, "id": 1},
            "sender": shapes.user(self, by),
        }
        starts = by != "github-actions[bot]" or name in OUTSIDE_WORKFLOWS
        self.events.append(Event(name=name, action=action, payload=whole, starts_workflows=starts))

    def note(self, number: int, event: str, by: str, **more: Any) -> None:
        """An entry of the timeline of an issue or a pull request."""
        self.timeline.append(
            {"id": next(self.ids), "number": number, "event": event, "actor": by, "created_at": self.now(), **more}
        )

    def move_ref(self, ref: str, sha: str | None, by: str) -> None:
        """Moves, makes or (None) deletes the ref in the repository, and remembers who did."""
        if sha is None:
            self.store.delete_ref(ref)
        else:
            self.store.set_ref(ref, sha)
        self._moved(ref, self.known_refs.get(ref, NO_COMMIT), sha or NO_COMMIT, by)

    def last_pusher(self, ref: str) -> str:
        """Who moved the ref last."""
        return next((one.actor for one in reversed(self.moves) if one.ref == ref), self.pusher)

    def begin(self) -> None:
        """Takes what the repository holds for pushed by `pusher`, without events."""
        for ref, sha in self.store.refs("refs/heads", "refs/tags").items():
            self._keep(ref, NO_COMMIT, sha, self.pusher)

    def _moved(self, ref: str, before: str, after: str, by: str) -> None:
        self.fire("push", "", shapes.push(self, self._keep(ref, before, after, by)), by)

    def _keep(self, ref: str, before: str, after: str, by: str) -> Moved:
        if after == NO_COMMIT:
            self.known_refs.pop(ref, None)
        else:
            self.known_refs[ref] = after
        forced = NO_COMMIT not in (before, after) and not self.store.ancestor(before, after)
        move = Moved(id=next(self.ids), ref=ref, before=before, after=after, actor=by, time=self.now(), forced=forced)
        self.moves.append(move)
        return move

    def sync(self) -> None:
        """Sees what was pushed by Git since it looked last."""
        now = self.store.refs("refs/heads", "refs/tags")
        for ref in [*now, *(set(self.known_refs) - set(now))]:
            before, after = self.known_refs.get(ref, NO_COMMIT), now.get(ref, NO_COMMIT)
            if before != after:
                self._moved(ref, before, after, self.pusher)
        for pull in self.pulls.values():
            if pull.state == "open":
                merging.follow(self, pull)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One request, or one deed of a person, after the other; each sees what was pushed before it."""
        with self.lock:
            self.sync()
            yield
