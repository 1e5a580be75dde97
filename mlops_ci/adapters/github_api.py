"""GitHub's REST API: waits where GitHub says so, tries again where that is safe, and names what went wrong.

The rules are those of GitHub's documentation ("Best practices for using the REST API", "Rate limits for the REST API").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.github_answer import Node
from mlops_ci.adapters.github_connection import Connection
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import Clock, Console, Reply

PATIENCE = 600.0
"""Seconds that one command waits for GitHub at most, all its requests together."""
ATTEMPTS = 5
PAGE, PAGES = 100, 1000
"""How many entries a page has, and how many pages a list."""
LIMITED = (403, 429)
FAILING = (500, 502, 503, 504)
LEAST_PAUSE = 1.0
UNSAID_PAUSE = 60.0
"""Seconds to wait, doubled each time, where GitHub limits us and says no time: as it asks for."""
SAID_PAUSE = 5.0
"""Seconds from which on people are told what a command waits for."""
_REPOSITORY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/(?!\.\.?$)[A-Za-z0-9_.-]+")
_NEXT = re.compile(r'<([^<>]*)>[^,<>]*;\s*rel="?next"?')
Found = TypeVar("Found")


class LostReplyError(OutsideError):
    """GitHub may have done what it was asked to, or not: no answer came, and doing it twice would be seen."""


class GitHubApi:
    """One repository on GitHub, or on the GitHub Enterprise Server whose API is at `api_url`."""

    def __init__(
        self,
        *,
        token: str,
        repository: str,
        api_url: str = "https://api.github.com",
        server_url: str = "https://github.com",
        clock: Clock | None = None,
        console: Console | None = None,
        patience: float = PATIENCE,
    ) -> None:
        if not _REPOSITORY.fullmatch(repository):
            raise ConfigurationError(
                f"{repository!r} is no repository", where="GITHUB_REPOSITORY", fix="write owner/name"
            )
        self.repository = repository
        self.owner, _, self.name = repository.partition("/")
        self.server_url = server_url.rstrip("/")
        self.clock: Clock = clock or SystemClock()
        self._api_url = api_url.rstrip("/")
        self._connection = Connection(api_url, token=token, clock=self.clock)
        self._console = console
        self._patience = patience

    def __repr__(self) -> str:
        return f"GitHubApi({self.repository!r} at {self._api_url!r})"

    def in_repository(self, pattern: str, *parts: object) -> str:
        """The path of something of the repository: the pattern with each `{}` replaced by a part, quoted.

        Raises ConfigurationError for a part that would lead elsewhere.
        """
        return path(f"/repos/{self.owner}/{self.name}/{pattern}".rstrip("/"), *parts)

    @cached_property
    def settings(self) -> Node:
        """The repository as GitHub describes it. Raises ConfigurationError where our token does not see it."""
        return self.ask("GET", self.in_repository(""))

    @property
    def default_branch(self) -> str:
        return self.settings.text("default_branch")

    @property
    def full_name(self) -> str:
        """What the repository is called by now, as pull requests name it, should it have been renamed."""
        return self.settings.text("full_name")

    @cached_property
    def login(self) -> str:
        """Whose token it is: a user, or a bot such as `github-actions[bot]`."""
        # Of an App's token the REST API does not tell it: it has no user. GraphQL has a viewer for every token.
        graphql = self._api_url.removesuffix("/v3") + "/graphql"
        return self.ask("POST", graphql, {"query": "query{viewer{login}}"}, again=True).text("data", "viewer", "login")

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str | int] = {},
        allow: Collection[int] = (),
        again: bool | None = None,
    ) -> Node:
        """What GitHub answers. The statuses that the caller can handle are allowed, and told by the node.

        `again` says whether it may be done twice without being seen, as all but a POST may. Raises LostReplyError where
        it may not and nobody can tell whether it was done, ConfigurationError where GitHub does not let our token do
        it, and OutsideError for all else that goes wrong.
        """
        return self._node(self._reply(method, path, body, query, again), f"{method} {path}", allow)

    def pages(self, path: str, *, query: Mapping[str, str | int] = {}, key: str = "") -> Iterator[Node]:
        """Everything in a list that GitHub gives page by page; `key` names the list where it is inside an object."""
        following, asked = f"{path}?{urlencode({'per_page': PAGE, **query})}", f"GET {path}"
        for _ in range(PAGES):
            reply = self._reply("GET", following, None, {}, True)
            yield from self._node(reply, asked, ()).items(*([key] if key else []))
            link = _NEXT.search(reply.headers.get("link", ""))
            if link is None:
                return
            following = link[1]
        raise OutsideError(f"GitHub's answer to {asked} has more than {PAGES} pages", fix="clear out what is old")

    def once(self, look: Callable[[], Found | None], do: Callable[[], Found]) -> Found:
        """Does what would be seen if it were done twice. Before each attempt `look` tells what is there by now."""
        for attempt in range(ATTEMPTS):
            found = look()
            if found is not None:
                return found
            try:
                return do()
            except LostReplyError:
                if attempt + 1 == ATTEMPTS:
                    raise
                self._wait(2.0**attempt, "its answer was lost")
        raise AssertionError("the last attempt returns or raises")

    def _reply(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str | int],
        again: bool | None,
    ) -> Reply:
        """The last reply, after all waiting and trying again."""
        address = f"{path}?{urlencode(query)}" if query else path
        data = None if body is None else json.dumps(body).encode()
        repeatable, asked = method != "POST" if again is None else again, f"{method} {path.partition('?')[0]}"
        failures = limits = 0
        while True:
            reply = self._connection.ask(method, address, body=data)
            pause = self._limit(reply, limits)
            if pause is not None:
                limits += 1
                self._wait(pause, f"it limits how often it is asked ({asked})")
                continue
            if not reply.failure and reply.status not in FAILING:
                return reply
            failures += 1
            if not repeatable and (reply.reached or not reply.failure):
                raise LostReplyError(
                    f"nobody can tell whether GitHub has done {asked}: {reply.summary}", where=asked, fix="look there"
                )
            if failures == ATTEMPTS:
                raise OutsideError(f"GitHub does not answer {asked}: {reply.summary}", where=asked, fix="try again")
            self._wait(_seconds(reply, self.clock) or 2.0 ** (failures - 1), f"{asked}: {reply.summary}")

    def _limit(self, reply: Reply, limits: int) -> float | None:
        """How long to wait before GitHub hears us again; None where it has not limited us."""
        if reply.failure or reply.status not in LIMITED:
            return None
        said = _seconds(reply, self.clock)
        if said is not None:
            return max(said, LEAST_PAUSE)
        words = reply.body[:10_000].lower()
        if reply.status not in LIMITED[1:] and b"rate limit" not in words and b"abuse" not in words:
            return None
        return UNSAID_PAUSE * 2.0**limits

    def _wait(self, seconds: float, why: str) -> None:
        if seconds > self._patience:
            raise OutsideError(
                f"GitHub would have us wait for {seconds:.0f} s: {why}",
                fix="run the command again later; an App's token may be used more often than GITHUB_TOKEN",
            )
        self._patience -= seconds
        if self._console is not None and seconds >= SAID_PAUSE:
            self._console.say(f"waiting {seconds:.0f} s for GitHub: {why}")
        self.clock.sleep(seconds)

    def _node(self, reply: Reply, asked: str, allow: Collection[int]) -> Node:
        text = reply.body.decode(errors="replace")
        try:
            node = Node(value=json.loads(text) if text else None, asked=asked, status=reply.status)
        except (ValueError, RecursionError):
            node = None
        if node is not None and 200 <= reply.status < 300:
            return node
        # Whatever else answers there may have a "not found" of its own, from which nothing follows.
        if node is not None and isinstance(node.value, dict) and "message" in node.value:
            if reply.status in allow:
                return node
            raise self._refusal(reply, node, asked)
        raise OutsideError(
            f"what answers {asked} is not GitHub's API: {reply.summary}", where=asked,
            fix="try again; if it stays so, look at GITHUB_API_URL and at the proxy",
        )  # fmt: skip

    def _refusal(self, reply: Reply, node: Node, asked: str) -> OutsideError | ConfigurationError:
        said = node.said
        if reply.status == 401:
            return ConfigurationError(
                f"GitHub does not accept the token: {said}", where=asked,
                fix="an App's token is good for an hour, that of a job until the job ends: make a new one",
            )  # fmt: skip
        if reply.status in (403, 404, 410):
            needed = reply.headers.get("x-accepted-github-permissions", "")
            fix = f"give the job (`permissions:`), or the App, what it needs: {needed or 'see the documentation'}"
            if "x-github-sso" in reply.headers:
                fix = "authorize the token for the organisation's single sign-on"
            return ConfigurationError(
                f"GitHub does not let our token do {asked}, or there is no such thing: {said}", where=asked, fix=fix
            )
        return OutsideError(f"GitHub refuses {asked}: {said}", where=asked, fix="mend what GitHub says, and try again")


def path(pattern: str, *parts: object) -> str:
    """The pattern with each `{}` replaced by a part, quoted but for its slashes.

    >>> path("/repos/acme/late/git/ref/heads/{}", "mlops-ci/what?#1")
    '/repos/acme/late/git/ref/heads/mlops-ci/what%3F%231'
    """
    for part in parts:
        if not str(part) or any(step in ("", ".", "..") for step in str(part).split("/")):
            raise ConfigurationError(f"{str(part)!r} is no name that GitHub could know", fix="name it otherwise")
    return pattern.format(*(quote(str(part), safe="/", errors="surrogateescape") for part in parts))


def _seconds(reply: Reply, clock: Clock) -> float | None:
    """How long GitHub says to wait; None where it does not. Times of day are by its own clock, where it shows one."""
    after = reply.headers.get("retry-after", "").strip()
    if after.isdecimal():
        return float(after)
    now = _moment(reply.headers.get("date", "")) or clock.now().timestamp()
    due = _moment(after)
    reset = reply.headers.get("x-ratelimit-reset", "").strip()
    if due is None and reply.headers.get("x-ratelimit-remaining", "").strip() == "0" and reset.isdecimal():
        due = float(reset) + 1
    return None if due is None else max(due - now, 0.0)


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
