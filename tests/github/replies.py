"""What a handler may answer: a value, a page of a list, another status, or a refusal in GitHub's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.github.accounts import Token
    from tests.github.state import State

REPO = "/repos/{owner}/{repo}"
INTEGRATION = "Resource not accessible by integration"
PROTECTED = "https://docs.github.com/articles/about-protected-branches"


class Refusal(Exception):
    """An answer other than success."""

    def __init__(
        self, status: int, message: str, *, errors: Sequence[Any] = (), about: str = "", needs: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        # as GitHub tells an App what would have been enough
        accepted = "; ".join(need.replace(":", "=") for need in needs.split())
        self.headers = {"X-Accepted-GitHub-Permissions": accepted} if accepted else {}
        self.body = {"message": message, "documentation_url": about or "https://docs.github.com/rest"}
        if errors:
            self.body["errors"] = list(errors)  # type: ignore[assignment]


def invalid(resource: str, field_: str, code: str, message: str = "") -> Refusal:
    """422 as GitHub words it: `custom` comes with a message."""
    error = {"resource": resource, "field": field_, "code": code} | ({"message": message} if message else {})
    return Refusal(422, "Validation Failed", errors=[error])


def missing() -> Refusal:
    return Refusal(404, "Not Found")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A status of its own, with headers; `body` bytes go out as they are."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A list of which the client gets one page; `under` is the field that holds it where it comes with its total."""

    rows: Sequence[Any]
    under: str = ""
    shape: Callable[[Any], Any] = lambda row: row


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that was let in."""

    arguments: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    token: Token
    accept: str = ""

    @property
    def login(self) -> str:
        return self.token.login


Handler = Callable[["State", Call], Any]


@dataclass(frozen=True, kw_only=True)
class Route:
    """`needs`: the permissions, one of which is enough."""

    needs: str
    handler: Handler


ROUTES: dict[tuple[str, str], Route] = {}


def answers(method: str, pattern: str, needs: str) -> Callable[[Handler], Handler]:
    """Declares who answers an operation of the description, and what the caller has to be allowed."""

    def keep(handler: Handler) -> Handler:
        ROUTES[method.lower(), pattern] = Route(needs=needs, handler=handler)
        return handler

    return keep
