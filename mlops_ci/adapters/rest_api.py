"""A forge's REST API: waits where it says so, tries again where that is safe, and names what went wrong.

The rules are those of GitHub's documentation ("Best practices for using the REST API", "Rate limits for the REST API");
GitLab and Azure DevOps tell of their limits by the same status and headers (429, Retry-After).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote, urlencode

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.adapters.rest_connection import Connection, Service
from mlops_ci.errors import ConfigurationError, MlopsError, OutsideError
from mlops_ci.ports import Clock, Console, Reply

PATIENCE = 600.0
"""Seconds that one command waits for a forge at most, all its requests together."""
ATTEMPTS = 5
PAGE, PAGES = 100, 1000
"""How many entries a page has, and how many pages a list."""
LIMITED = (403, 429)
FAILING = (500, 502, 503, 504)
LEAST_PAUSE = 1.0
UNSAID_PAUSE = 60.0
"""Seconds to wait, doubled each time, where a forge limits us and says no time: as GitHub asks for."""
SAID_PAUSE = 5.0
"""Seconds from which on people are told what a command waits for."""
_NEXT = re.compile(r'<([^<>]*)>[^,<>]*;\s*rel="?next"?')
Found = TypeVar("Found")


class LostReplyError(OutsideError):
    """The forge may have done what it was asked to, or not: no answer came, and doing it twice would be seen."""


class RestApi:
    """The API at `address`. A forge's own class says how it words a refusal."""

    ERRORS: ClassVar[frozenset[str]] = frozenset({"message"})
    """One of these is in what the API answers where it refuses; what lacks them comes from something else."""
    WAIT_FIX = "run the command again later"

    def __init__(
        self,
        service: Service,
        address: str,
        *,
        token: str,
        clock: Clock | None = None,
        console: Console | None = None,
        patience: float = PATIENCE,
        basic: bool = False,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self._service = service
        self._address = address.rstrip("/")
        self._connection = Connection(service, address, token=token, clock=self.clock, basic=basic)
        self._console = console
        self._patience = patience

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        query: Mapping[str, str | int] = {},
        allow: Collection[int] = (),
        again: bool | None = None,
    ) -> Node:
        """What the forge answers. The statuses that the caller can handle are allowed, and told by the node.

        `again` says whether it may be done twice without being seen, as all but a POST may. Raises LostReplyError where
        it may not and nobody can tell whether it was done, ConfigurationError where the forge does not let our token do
        it, and OutsideError for all else that goes wrong.
        """
        return self._node(self._reply(method, path, body, query, again), f"{method} {path}", allow)

    def pages(self, path: str, *, query: Mapping[str, str | int] = {}, key: str = "") -> Iterator[Node]:
        """Everything in a list that the forge gives page by page; `key` names the list where it is inside an object."""
        following, asked = f"{path}?{urlencode({'per_page': PAGE, **query})}", f"GET {path}"
        for _ in range(PAGES):
            reply = self._reply("GET", following, None, {}, True)
            yield from self._node(reply, asked, ()).items(*([key] if key else []))
            link = _NEXT.search(reply.headers.get("link", ""))
            if link is None:
                return
            following = link[1]
        raise OutsideError(
            f"{self._service.name}'s answer to {asked} has more than {PAGES} pages", fix="clear out what is old"
        )

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
        body: Mapping[str, Any] | Sequence[Any] | None,
        query: Mapping[str, str | int],
        again: bool | None,
    ) -> Reply:
        """The last reply, after all waiting and trying again."""
        address = f"{path}?{urlencode(query)}" if query else path
        data = None if body is None else json.dumps(body).encode()
        repeatable, asked = method != "POST" if again is None else again, f"{method} {path.partition('?')[0]}"
        failures, limits, name = 0, 0, self._service.name
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
                    f"nobody can tell whether {name} has done {asked}: {reply.summary}",
                    where=asked,
                    fix="look there",
                )
            if failures == ATTEMPTS:
                raise OutsideError(f"{name} does not answer {asked}: {reply.summary}", where=asked, fix="try again")
            self._wait(_seconds(reply, self.clock) or 2.0 ** (failures - 1), f"{asked}: {reply.summary}")

    def _limit(self, reply: Reply, limits: int) -> float | None:
        """How long to wait before the forge hears us again; None where it has not limited us."""
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
            raise OutsideError(f"{self._service.name} would have us wait for {seconds:.0f} s: {why}", fix=self.WAIT_FIX)
        self._patience -= seconds
        if self._console is not None and seconds >= SAID_PAUSE:
            self._console.say(f"waiting {seconds:.0f} s for {self._service.name}: {why}")
        self.clock.sleep(seconds)

    def _node(self, reply: Reply, asked: str, allow: Collection[int]) -> Node:
        text = reply.body.decode(errors="replace")
        try:
            node = Node(
                value=json.loads(text) if text else None, asked=asked, status=reply.status, service=self._service
            )
        except (ValueError, RecursionError):
            node = None
        if node is not None and 200 <= reply.status < 300:
            return node
        # Whatever else answers there may have a "not found" of its own, from which nothing follows.
        if node is not None and isinstance(node.value, dict) and self.ERRORS & node.value.keys():
            if reply.status in allow:
                return node
            raise self._refusal(reply, node, asked)
        raise OutsideError(
            f"what answers {asked} is not {self._service.name}'s API: {reply.summary}", where=asked,
            fix=f"try again; if it stays so, look at {self._service.variable} and at the proxy",
        )  # fmt: skip

    def _refusal(self, reply: Reply, node: Node, asked: str) -> MlopsError:
        """What is raised where the forge has refused what it was asked."""
        raise NotImplementedError


def path(pattern: str, *parts: object) -> str:
    """The pattern with each `{}` replaced by a part, quoted but for its slashes.

    >>> path("/repos/acme/late/git/ref/heads/{}", "mlops-ci/what?#1")
    '/repos/acme/late/git/ref/heads/mlops-ci/what%3F%231'
    """
    for part in parts:
        if not str(part) or any(step in ("", ".", "..") for step in str(part).split("/")):
            raise ConfigurationError(f"{str(part)!r} is no name that a forge could know", fix="name it otherwise")
    return pattern.format(*(quote(str(part), safe="/", errors="surrogateescape") for part in parts))


def _seconds(reply: Reply, clock: Clock) -> float | None:
    """How long the forge says to wait; None where it does not. Times of day are by its own clock, if it shows one."""
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
