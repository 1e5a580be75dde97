"""The client of GitHub's API, against a server that answers by a script: rightly, late, wrongly or never."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters import rest_connection
from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.rest_api import ATTEMPTS, LostReplyError
from mlops_ci.errors import ConfigurationError, MlopsError, OutsideError
from tests.adapters.scripted import answer, reset, scripted

TOKEN = "ghs_0123456789abcdefghijklmnopqrstuvwxyzSECRET"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
AFTER_NOON = str(int(NOON.timestamp()) + 9)
Step = bytes | Callable[[socket.socket], None]


class Sleeper:
    """A clock that only moves by being slept on."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOON + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class GitHub:
    """What the server was asked, and the client that asks."""

    def __init__(self, url: str, heads: list[str], **options: Any) -> None:
        self.url = url
        self.heads = heads
        self.clock = Sleeper()
        self.api = GitHubApi(token=TOKEN, repository="acme/late", api_url=url, clock=self.clock, **options)

    @property
    def asked(self) -> list[str]:
        return [head.split(" HTTP/")[0] for head in self.heads]


@contextmanager
def answering(*steps: Step, **options: Any) -> Iterator[GitHub]:
    """Each request gets the next step, and the last one again and again. The server's address is `{url}` in them."""
    heads: list[str] = []
    address: list[str] = []

    def script(connection: socket.socket, head: bytes) -> None:
        heads.append(head.decode())
        step = steps[min(len(heads), len(steps)) - 1]
        if callable(step):
            step(connection)
        else:
            connection.sendall(step.replace(b"{url}", address[0].encode()))

    with scripted(script) as url:
        address.append(url)
        yield GitHub(url, heads, **options)


def said(value: Any, status: str = "200 OK", **headers: str) -> bytes:
    return answer(json.dumps(value).encode(), status=status, **headers)


def refused(status: str, message: str = "no", **headers: str) -> bytes:
    return said({"message": message, "documentation_url": "x"}, status, **headers)


OK = said({"ok": True})


def everything_of(error: BaseException) -> str:
    """What a traceback could ever show of the error and of those behind it, their attributes included."""
    parts = []
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or each in seen:
            continue
        seen.append(each)
        request = getattr(each, "request", None)
        parts += ["".join(traceback.format_exception(each)), repr(each), str(vars(each)), str(vars(request or each))]
        todo += [each.__cause__, each.__context__]
    return "\n".join(parts)


def test_a_request_says_who_asks_and_for_what() -> None:
    with answering(OK) as github:
        assert github.api.ask("GET", "/user").flag("ok")
        head = github.heads[0]
        assert f"Authorization: Bearer {TOKEN}" in head
        assert "X-GitHub-Api-Version: 2022-11-28" in head
        assert "Accept: application/vnd.github+json" in head


def test_the_path_of_an_enterprise_server_is_kept() -> None:
    with answering(OK) as github:
        api = GitHubApi(token=TOKEN, repository="acme/late", api_url=f"{github.url}/api/v3/")
        api.ask("GET", api.in_repository("pulls/{}", 7))
        assert github.asked == ["GET /api/v3/repos/acme/late/pulls/7"]


def test_whose_token_it_is_is_asked_once() -> None:
    with answering(said({"data": {"viewer": {"login": "acme-mlops[bot]"}}})) as github:
        api = GitHubApi(token=TOKEN, repository="acme/late", api_url=f"{github.url}/api/v3")
        assert api.login == api.login == "acme-mlops[bot]"
        assert github.asked == ["POST /api/graphql"]


def test_graphql_s_errors_are_no_name() -> None:
    with answering(said({"data": None, "errors": [{"message": "x"}]})) as github, pytest.raises(OutsideError):
        github.api.login  # noqa: B018


# Limits.


@pytest.mark.parametrize(
    ("limit", "pause"),
    [
        (refused("403 Forbidden", "You have exceeded a secondary rate limit", retry_after="7"), 7),
        (refused("429 Too Many Requests", "slow down", retry_after="7"), 7),
        (refused("429 Too Many Requests", retry_after="Sat, 21 Nov 2026 12:00:30 GMT"), 30),
        (refused("429 Too Many Requests", "slow down"), 60),
        (refused("403 Forbidden", "You have exceeded a secondary rate limit. Wait a few minutes"), 60),
        (refused("403 Forbidden", "x", x_ratelimit_remaining="0", x_ratelimit_reset=AFTER_NOON), 10),
        (  # by GitHub's clock, not by this machine's, which may be an hour wrong
            refused(
                "403 Forbidden", "x", x_ratelimit_remaining="0", x_ratelimit_reset="1000009",
                date="Mon, 12 Jan 1970 13:46:40 GMT",
            ),
            10,
        ),
        (refused("429 Too Many Requests", retry_after="0"), 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_limit_is_waited_for_and_the_request_sent_again(limit: bytes, pause: float, method: str) -> None:
    with answering(limit, OK) as github:
        assert github.api.ask(method, "/x", None if method == "GET" else {}).flag("ok")
        assert github.clock.slept == [pause]
        assert len(github.asked) == 2


def test_waiting_has_an_end_for_all_requests_together() -> None:
    with answering(refused("429 Too Many Requests", retry_after="40"), patience=100) as github:
        with pytest.raises(OutsideError, match="would have us wait for 40 s"):
            github.api.ask("GET", "/x")
        assert github.clock.slept == [40, 40]
        with pytest.raises(OutsideError):
            github.api.ask("GET", "/y")
        assert sum(github.clock.slept) <= 100


def test_a_reset_an_hour_away_is_said_at_once() -> None:
    reset_at = str(int(NOON.timestamp()) + 3000)
    limit = refused("403 Forbidden", "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset=reset_at)
    with answering(limit) as github:
        with pytest.raises(OutsideError, match="wait for 3001 s") as caught:
            github.api.ask("GET", "/x")
        assert caught.value.exit_code == 20
        assert github.clock.slept == []


def test_a_lack_of_permission_is_no_limit() -> None:
    needs = {"x_accepted_github_permissions": "pull_requests=write"}
    lacking = refused("403 Forbidden", "Resource not accessible by integration", x_ratelimit_remaining="4999", **needs)
    with answering(lacking) as github:
        with pytest.raises(ConfigurationError, match="Resource not accessible by integration") as caught:
            github.api.ask("POST", "/x", {})
        assert "pull_requests=write" in caught.value.fix
        assert github.clock.slept == []


# Failures.


@pytest.mark.parametrize("status", ["500 Internal Server Error", "502 Bad Gateway", "503 x", "504 Gateway Timeout"])
def test_what_fails_is_tried_again(status: str) -> None:
    with answering(answer(b"<html>oops</html>", status=status), answer(b"", status=status), OK) as github:
        assert github.api.ask("PATCH", "/x", {}).flag("ok")
        assert github.clock.slept == [1, 2]


def test_a_connection_that_breaks_is_made_again() -> None:
    cut = answer(b'{"ok": tr', content_length="100")
    with answering(reset, lambda connection: connection.close(), lambda c: (c.sendall(cut), c.close()), OK) as github:  # type: ignore[arg-type,return-value]
        assert github.api.ask("GET", "/x").flag("ok")


def test_trying_again_has_an_end() -> None:
    with answering(answer(b"", status="503 x")) as github:
        with pytest.raises(OutsideError, match="does not answer GET /x: status 503"):
            github.api.ask("GET", "/x")
        assert len(github.asked) == ATTEMPTS


@pytest.mark.parametrize("lost", [reset, answer(b"", status="502 Bad Gateway")])
def test_what_may_have_been_done_is_not_sent_again(lost: Step) -> None:
    with answering(lost, OK) as github:
        with pytest.raises(LostReplyError, match="nobody can tell whether GitHub has done POST /x"):
            github.api.ask("POST", "/x", {})
        assert github.asked == ["POST /x"]


def test_what_was_surely_not_received_is_sent_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    clock = Sleeper()
    api = GitHubApi(token=TOKEN, repository="acme/late", api_url=f"http://127.0.0.1:{port}", clock=clock)
    with pytest.raises(OutsideError, match="no connection") as caught:
        api.ask("POST", "/x", {})
    assert not isinstance(caught.value, LostReplyError)
    assert clock.slept == [1, 2, 4, 8]


def test_once_looks_before_it_does_it_again() -> None:
    done: list[str] = []

    def do() -> str:
        done.append("done")
        raise LostReplyError("lost")

    with answering(OK) as github:
        assert github.api.once(lambda: "found" if done else None, do) == "found"
    assert done == ["done"]


def test_once_gives_up() -> None:
    def do() -> str:
        raise LostReplyError("lost")

    with answering(OK) as github, pytest.raises(LostReplyError):
        github.api.once(lambda: None, do)


# Pages.


def test_all_pages_are_read() -> None:
    pages: Sequence[bytes] = [
        said([{"n": 1}, {"n": 2}], link='<{url}/x?page=2&per_page=100>; rel="next", <{url}/x?page=3>; rel="last"'),
        said([{"n": 3}], link='<{url}/x?page=1>; rel="prev", <{url}/x?page=3&per_page=100>; rel="next"'),
        said([{"n": 4}], link='<{url}/x?page=1>; rel="first", <{url}/x?page=2>; rel="prev"'),
    ]
    with answering(*pages) as github:
        found = [node.number("n") for node in github.api.pages("/x", query={"state": "all"})]
        assert found == [1, 2, 3, 4]
        assert github.asked == [
            "GET /x?per_page=100&state=all",
            "GET /x?page=2&per_page=100",
            "GET /x?page=3&per_page=100",
        ]


def test_pages_without_end_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_ci.adapters.rest_api.PAGES", 5)
    with (
        answering(said([{"n": 1}], link='<{url}/x?page=2>; rel="next"')) as github,
        pytest.raises(OutsideError, match="more than 5 pages"),
    ):
        list(github.api.pages("/x"))


def test_a_next_page_elsewhere_is_not_asked_for() -> None:
    with (
        answering(OK) as other,
        answering(said([{"n": 1}], link=f'<{other.url}/x?page=2>; rel="next"')) as github,
    ):
        with pytest.raises(OutsideError, match="points to another host"):
            list(github.api.pages("/x"))
        assert other.asked == []


def test_a_list_inside_an_object() -> None:
    with answering(said({"total_count": 1, "check_runs": [{"id": 5}]})) as github:
        assert [node.number("id") for node in github.api.pages("/x", key="check_runs")] == [5]


# Redirects.


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_renamed_repository_is_found(status: str) -> None:
    with answering(answer(b"", status=status, location="/repositories/1/pulls"), said({"ok": True}, "201 x")) as github:
        assert github.api.ask("POST", "/repos/acme/late/pulls", {}).flag("ok")
        assert github.asked == ["POST /repos/acme/late/pulls", "POST /repositories/1/pulls"]


def test_another_host_gets_neither_token_nor_request() -> None:
    with answering(OK) as other, answering(answer(b"", status="302 Found", location=f"{other.url}/steal")) as github:
        with pytest.raises(OutsideError, match="a redirect to"):
            github.api.ask("GET", "/x")
        assert other.heads == []


def test_redirects_in_circles_end() -> None:
    with answering(answer(b"", status="302 Found", location="/x")) as github, pytest.raises(OutsideError):
        github.api.ask("GET", "/x")


# Hostile answers.


@pytest.mark.parametrize(
    "hostile",
    [
        answer(b"<html>log in to the proxy</html>", content_type="text/html"),
        answer(b"[" * 100_000),
        answer(b"\xff\xfe"),
        answer(b"1" * 6000),
        said([]),
        said("text"),
        said(None),
        said({"head": None}),
        said({"head": []}),
        said({"head": {"sha": 5}}),
        said({"head": {"sha": None}}),
        answer(b"", status="204 No Content"),
    ],
)
def test_a_wrong_shape_is_an_error_with_a_name(hostile: bytes) -> None:
    with answering(hostile) as github, pytest.raises(OutsideError):
        github.api.ask("GET", "/x").text("head", "sha")


@pytest.mark.parametrize("hostile", [said({"a": 1}), said([1]), said([None]), said("x"), said(None)])
def test_a_page_of_a_wrong_shape(hostile: bytes) -> None:
    with answering(hostile) as github, pytest.raises(OutsideError):
        list(github.api.pages("/x"))


def test_a_number_is_no_truth_value() -> None:
    with answering(said({"id": True, "draft": 1})) as github:
        node = github.api.ask("GET", "/x")
        with pytest.raises(OutsideError, match="has no number at id, but yes or no"):
            node.number("id")
        with pytest.raises(OutsideError, match="has no yes or no at draft, but number"):
            node.flag("draft")


@pytest.mark.parametrize("page", [b"<html>not found</html>", b"", b'"no"', b"[]", b'{"error": "no route"}'])
def test_a_not_found_by_somebody_else_is_no_answer(page: bytes) -> None:
    with (
        answering(answer(page, status="404 Not Found")) as github,
        pytest.raises(OutsideError, match="is not GitHub's API"),
    ):
        github.api.ask("GET", "/x", allow=(404,))


def test_github_s_own_not_found_is_for_the_caller() -> None:
    with answering(refused("404 Not Found", "Not Found")) as github:
        assert github.api.ask("GET", "/x", allow=(404,)).status == 404
        with pytest.raises(ConfigurationError, match="Not Found"):
            github.api.ask("GET", "/x")


def test_an_answer_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_connection, "LARGEST", 1000)
    with (
        answering(answer(b'"' + b"x" * 2000 + b'"')) as github,
        pytest.raises(OutsideError, match="more than 1000 bytes"),
    ):
        github.api.ask("GET", "/x")


def test_what_github_says_is_one_bounded_line() -> None:
    errors = [{"field": "head", "code": "invalid"}, {"message": "No commits\nbetween"}, "plain", 5, None, {}]
    value = {"message": "Validation Failed \x1b[31m", "errors": errors}
    with answering(said(value, "422 Unprocessable Entity"), refused("422 x", "long" * 1000)) as github:
        with pytest.raises(OutsideError, match="head invalid; No commits") as caught:
            github.api.ask("GET", "/x")
        assert caught.value.what.isprintable()
        with pytest.raises(OutsideError) as caught:
            github.api.ask("GET", "/x")
        assert len(caught.value.what) < 700


# The token.


@pytest.mark.parametrize(
    "step",
    [
        reset,
        refused("401 Unauthorized", f"Bad credentials {TOKEN}"),
        refused("403 Forbidden", f"no {TOKEN}"),
        refused("422 Unprocessable", TOKEN),
        answer(TOKEN.encode(), status="500 x"),
        answer(TOKEN.encode()),
        said({"sha": None, TOKEN: TOKEN}),
        answer(b"", status="302 Found", location="http://127.0.0.1:1/"),
    ],
)
def test_no_error_holds_the_token(step: Step, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with answering(step) as github:
        with pytest.raises(MlopsError) as caught:
            github.api.ask("POST", "/x", {"a": 1}).text("sha")
        assert TOKEN not in everything_of(caught.value)
        assert TOKEN not in repr(github.api)
        assert TOKEN not in caplog.text


@pytest.mark.parametrize("token", ["", " ", f"{TOKEN}\n", f"{TOKEN} x", "é" * 30, f"{TOKEN}\r\nHost: evil"])
def test_what_is_no_token_is_refused_unseen(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        GitHubApi(token=token, repository="acme/late")
    assert not token.strip() or token.strip() not in everything_of(caught.value)
    assert TOKEN not in str(caught.value)


def test_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with answering(OK) as github:
        github.api.ask("GET", "/x")
        assert f"Authorization: Bearer {TOKEN}" in github.heads[0]


def test_no_proxy_stands_between_this_machine_and_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(OK) as proxy, answering(OK) as github:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        github.api.ask("GET", "/x")
        assert proxy.heads == []


# Addresses.


@pytest.mark.parametrize(
    "url", ["", "api.github.com", "ftp://x", "https://", "http://api.example.com", "https://u:p@x"]
)
def test_a_wrong_address_of_the_api(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        GitHubApi(token=TOKEN, repository="acme/late", api_url=url)
    assert caught.value.where == "GITHUB_API_URL"


@pytest.mark.parametrize("name", ["", "acme", "acme/late/x", "acme/..", "../late", "acme/la te", "acme/late?x", "/x"])
def test_a_wrong_repository(name: str) -> None:
    with pytest.raises(ConfigurationError):
        GitHubApi(token=TOKEN, repository=name)


@pytest.mark.parametrize("part", ["", "..", "a/../b", "a//b", "/a", "a/", "."])
def test_a_path_never_leads_elsewhere(part: str) -> None:
    with answering(OK) as github, pytest.raises(ConfigurationError):
        github.api.in_repository("git/ref/heads/{}", part)


def test_names_are_quoted() -> None:
    with answering(OK) as github:
        github.api.ask("GET", github.api.in_repository("git/ref/heads/{}", "fix/#7 100%?é"))
        assert github.asked == ["GET /repos/acme/late/git/ref/heads/fix/%237%20100%25%3F%C3%A9"]
