"""A GitHub of one repository: what a test looks at, the people in it, and what may go wrong."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.github import action_routes, issue_routes, merging, pull_routes, shapes
from tests.github.accounts import APP_ONLY, JOB, ROLES, Token
from tests.github.git_store import GitStore
from tests.github.server import EXHAUSTED, LIMITED, Fault, GitHubServer
from tests.github.settings import Protection, Settings
from tests.github.state import Event, Request, State

BOT, APP = "github-actions[bot]", "acme-mlops[bot]"
FORK = dict.fromkeys(JOB, "read")


class Hub:
    """The stand-in as its user sees it. People's deeds take their turn between requests."""

    def __init__(self, state: State, folder: Path) -> None:
        self.state = state
        self._folder = folder
        self._server: GitHubServer | None = None
        self.saved_to: Path | None = None
        self.token = self.new_token(BOT, **dict.fromkeys(JOB, "write"))
        self.app_token = self.new_token(
            APP, **dict.fromkeys((*JOB, "workflows"), "write"), members="read", administration="read", secrets="read",
            variables="read", environments="read",
        )  # fmt: skip
        self.read_token = self.new_token(BOT, **FORK)

    # Where it is, and what is in it

    @property
    def url(self) -> str:
        return self.state.url

    server_url = url

    @property
    def repository(self) -> str:
        return self.state.repository

    @property
    def pulls(self) -> dict[int, dict[str, Any]]:
        with self.state.turn():
            return {number: shapes.pull(self.state, pull, full=True) for number, pull in self.state.pulls.items()}

    @property
    def issues(self) -> dict[int, dict[str, Any]]:
        with self.state.turn():
            return {number: issue_routes.shape(self.state, one) for number, one in self.state.issues.items()}

    @property
    def comments(self) -> list[dict[str, Any]]:
        return self.state.comments

    @property
    def checks(self) -> list[dict[str, Any]]:
        return self.state.checks

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return self.state.statuses

    @property
    def deployments(self) -> list[dict[str, Any]]:
        return self.state.deployments

    @property
    def dispatches(self) -> list[dict[str, Any]]:
        return self.state.dispatches

    @property
    def releases(self) -> list[dict[str, Any]]:
        return self.state.releases

    @property
    def requests(self) -> list[Request]:
        return self.state.requests

    @property
    def events(self) -> list[Event]:
        with self.state.turn():
            return self.state.events

    @property
    def invalid(self) -> list[str]:
        return self.state.invalid

    @property
    def settings(self) -> Settings:
        return self.state.settings

    @property
    def pusher(self) -> str:
        """Who is taken to have pushed whatever reaches the bare repository by Git."""
        return self.state.pusher

    @pusher.setter
    def pusher(self, login: str) -> None:
        self._at_work(login)
        self.state.sync()  # what was pushed before was the one's before
        self.state.pusher = login

    def reviews(self, number: int) -> list[dict[str, Any]]:
        return self.state.pulls[number].reviews

    # Tokens and people

    def new_token(self, login: str = BOT, **permissions: str) -> str:
        """A token with these permissions and no others."""
        unknown = set(permissions) - {*JOB, *APP_ONLY}
        if unknown or not set(permissions.values()) <= {"read", "write", "none"}:
            raise ValueError(f"no such permissions: {permissions}")
        self.state.account(login)
        token = Token(login=login, permissions=permissions)
        self.state.tokens[token.value] = token
        return token.value

    def person_token(self, login: str) -> str:
        role = self.state.account(login, role="write").role
        token = Token(login=login, permissions=ROLES.get(role, {}), value=f"ghp_{secrets.token_hex(20)}")
        self.state.tokens[token.value] = token
        return token.value

    def person(self, login: str, role: str) -> None:
        self.state.account(login).role = role

    def delete_account(self, login: str) -> None:
        """What they wrote stays, by nobody."""
        del self.state.accounts[login]
        mine = [*self.comments, *(review for pull in self.state.pulls.values() for review in pull.reviews)]
        for one in mine:
            if (one["user"] or {}).get("login") == login:
                one["user"] = None

    def team(self, slug: str, members: Sequence[str]) -> None:
        for login in members:
            self._at_work(login)
        self.state.teams[slug] = list(members)

    def fork(self, owner: str) -> Path:
        """A bare clone that `owner` may push to; made once."""
        full_name = f"{owner}/{self.state.name}"
        self.state.account(owner, role="read")
        if full_name not in self.state.forks:
            path = self._folder / f"{owner}.git"
            subprocess.run(["git", "clone", "--quiet", "--bare", str(self.state.store.path), str(path)], check=True)
            self.state.forks[full_name] = GitStore(path)
        return self.state.forks[full_name].path

    # What people do

    def open_pull_request(
        self, *, branch: str, base: str = "", user: str = "dana", title: str = "A change", body: str = "",
        fork: str = "", draft: bool = False,
    ) -> int:  # fmt: skip
        """Returns its number. Raises replies.Refusal where GitHub would not have it."""
        owner = (fork or self.repository).split("/")[0]
        self.state.account(user, role="read" if fork else "write")
        with self.state.turn():
            sent = {"head": f"{owner}:{branch}", "base": base or self.state.main, "title": title, "body": body}
            return pull_routes.open_pull(self.state, sent | {"draft": draft}, user).number

    def review(self, number: int, user: str, verdict: str, commit: str | None = None, body: str = "") -> int:
        self._at_work(user)
        with self.state.turn():
            pull = self.state.pulls[number]
            review = pull_routes.add_review(self.state, pull, user, verdict, commit or pull.head, body)
            return int(review["id"])

    def dismiss(self, number: int, review_id: int, user: str = "olga") -> None:
        self._at_work(user)
        with self.state.turn():
            pull = self.state.pulls[number]
            review = next(one for one in pull.reviews if one["id"] == review_id)
            pull_routes.dismiss_review(self.state, pull, review, user, "no longer so")

    def comment(self, number: int, user: str, body: str) -> int:
        self._at_work(user)
        with self.state.turn():
            one = self.state.issues.get(number) or self.state.pulls[number]
            return int(issue_routes.add_comment(self.state, one, user, body)["id"])

    def edit_comment(self, comment_id: int, user: str, body: str) -> None:
        """The author stays who wrote it first."""
        self._at_work(user)
        next(one for one in self.comments if one["id"] == comment_id).update(body=body, updated_at=self.state.now())

    def close(self, number: int, user: str) -> None:
        self._at_work(user)
        with self.state.turn():
            if number in self.state.issues:
                issue_routes.change_issue(self.state, self.state.issues[number], {"state": "closed"}, user)
            else:
                merging.close(self.state, self.state.pulls[number], user)

    def reopen(self, number: int, user: str) -> None:
        self._at_work(user)
        with self.state.turn():
            merging.reopen(self.state, self.state.pulls[number], user)

    def merge(self, number: int, user: str, method: str = "merge") -> str:
        """Returns the new commit. Raises replies.Refusal where the rules forbid it."""
        self._at_work(user)
        with self.state.turn():
            return merging.merge(
                self.state, self.state.pulls[number], user, sha="", method=method, title="", message=""
            )

    def protect(self, branch: str = "", **demands: Any) -> None:
        """See settings.Protection for what may be demanded."""
        self.state.protections[branch or self.state.main] = Protection(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in demands.items()}
        )

    def unprotect(self, branch: str = "") -> None:
        self.state.protections.pop(branch or self.state.main, None)

    def add_run(
        self, run_id: int, *, head_sha: str, head_branch: str, head_repository: str = "", event: str = "pull_request",
        name: str = "model-pull-request", actor: str = "dana", conclusion: str = "success", run_attempt: int = 1,
        artifacts: Mapping[str, bytes | Mapping[str, bytes]] = {},
    ) -> dict[str, Any]:  # fmt: skip
        """A finished run of a workflow; artifacts are zip archives, or files by name."""
        with self.state.turn():
            about = {"id": run_id, "head_sha": head_sha, "head_branch": head_branch, "event": event, "name": name,
                     "head_repository": head_repository or self.repository, "actor": actor, "conclusion": conclusion,
                     "run_attempt": run_attempt}  # fmt: skip
            return action_routes.add_run(self.state, about, artifacts)

    def _at_work(self, login: str) -> None:
        self.state.account(login, role="write")

    # What goes wrong

    def fail_next(
        self, status: int, *, headers: Mapping[str, str] = {}, times: int = 1, match: str = "", body: str | None = None
    ) -> None:
        """Answers so and carries nothing out."""
        text = json.dumps({"message": "stand-in: told to fail"}) if body is None else body
        self._fault(Fault(kind="answer", times=times, match=match, status=status, headers=headers, body=text.encode()))

    def lose_reply(self, *, times: int = 1, match: str = "") -> None:
        """Carries it out, then hangs up."""
        self._fault(Fault(kind="lose", times=times, match=match))

    def drop(self, *, times: int = 1, match: str = "") -> None:
        """Hangs up and carries nothing out."""
        self._fault(Fault(kind="drop", times=times, match=match))

    def silence(self, *, times: int = 1, match: str = "") -> None:
        """Carries it out, and says nothing until the server ends."""
        self._fault(Fault(kind="silence", times=times, match=match))

    def rate_limit(
        self, *, secondary: bool = True, retry_after: int | None = 1, times: int = 1, match: str = "", status: int = 403
    ) -> None:
        """A secondary limit says when to try again, if it says; the primary one says when its hour is over."""
        headers: dict[str, str] = {}
        if secondary:
            headers |= {} if retry_after is None else {"Retry-After": str(retry_after)}
        else:
            reset = int(time.time()) + (retry_after or 0)
            headers |= {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Used": "5000",
                        "X-RateLimit-Resource": "core", "X-RateLimit-Reset": str(reset)}  # fmt: skip
        message = LIMITED if secondary else EXHAUSTED
        about = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
        body = json.dumps({"message": message, "documentation_url": about, "status": str(status)})
        self.fail_next(status, headers=headers, times=times, match=match, body=body)

    def _fault(self, fault: Fault) -> None:
        assert self._server is not None
        with self.state.lock:
            self._server.faults.append(fault)

    # For serving

    def attach(self, server: GitHubServer) -> None:
        self._server = server
        self.state.url = f"http://127.0.0.1:{server.server_port}"
        self.state.begin()

    def administer(self, what: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        """What stands behind /-/: an artifact's bytes, or a method of this object by name with JSON arguments."""
        name, _, argument = what.partition("/")
        if name == "artifact":
            return 200, self.state.artifacts[int(argument)]["data"], {"Content-Type": "application/zip"}
        if name == "state":
            return 200, json.dumps(self.summary()).encode(), {"Content-Type": "application/json"}
        method = getattr(self, name, None) if not name.startswith("_") else None
        if not callable(method):
            return 404, b"no such deed", {}
        try:
            result = method(**json.loads(body or b"{}"))
        except Exception as error:  # noqa: BLE001 - told to who asked, whatever it was
            return 400, repr(error).encode(), {}
        self.save()
        return 200, json.dumps(result, default=str).encode(), {"Content-Type": "application/json"}

    def summary(self) -> dict[str, Any]:
        """Everything that a test may look at, as JSON."""
        with self.state.lock:
            return {
                "pulls": self.pulls, "issues": self.issues, "comments": self.comments, "checks": self.checks,
                "statuses": self.statuses, "deployments": self.deployments, "dispatches": self.dispatches,
                "releases": self.releases, "events": [asdict(one) for one in self.events],
                "requests": [asdict(one) for one in self.requests], "invalid": self.invalid,
            }  # fmt: skip

    def save(self) -> None:
        """Writes the summary where the stand-in runs by itself."""
        if self.saved_to is not None:
            with self.state.lock:
                part = self.saved_to.with_suffix(".part")
                part.write_text(json.dumps(self.summary(), indent=1), encoding="utf-8")
                part.replace(self.saved_to)
