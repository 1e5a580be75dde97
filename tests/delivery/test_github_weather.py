"""The whole path on a GitHub that loses answers, fails and limits: it ends as on one that does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mlops_ci.adapters.rest_connection import Connection
from mlops_ci.ports import Reply
from tests.delivery.github_world import GitHubWorld, on_github
from tests.delivery.world import Line

Ask = Callable[[], Reply]
OLD, NEW = Line(slope=1.0), Line(slope=1.01)
LIMIT = Reply(status=403, headers={"retry-after": "1"}, body=b'{"message": "You have exceeded a secondary rate limit"}')


def lost(ask: Ask) -> Reply:
    ask()
    return Reply(failure="the connection was lost")


def never_sent(_: Ask) -> Reply:
    return Reply(failure="no connection", reached=False)


def failed(_: Ask) -> Reply:
    return Reply(status=502, body=b"<html>Bad Gateway</html>")


def limited(_: Ask) -> Reply:
    return LIMIT


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with on_github(tmp_path / "world") as made:
        yield made


WEATHER: Sequence[Callable[[Ask], Reply]] = (lost, never_sent, lost, failed, lost, limited)


def test_every_request_goes_wrong_once(world: GitHubWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    really = Connection.ask
    seen: Counter[tuple[str, str, bytes | None]] = Counter()

    def ask(connection: Connection, method: str, path: str, *, body: bytes | None) -> Reply:
        def send() -> Reply:
            return really(connection, method, path, body=body)

        seen[method, path, body] += 1
        return WEATHER[len(seen) % len(WEATHER)](send) if seen[method, path, body] == 1 else send()

    monkeypatch.setattr(Connection, "ask", ask)
    first = world.release(OLD)
    world.hub.review(world.only_pull(), "alice", "APPROVED")
    world.promote_pull(world.only_pull())
    second = world.release(NEW)
    world.hub.review(world.only_pull(), "alice", "APPROVED")
    world.promote_pull(world.only_pull())
    assert world.serving() == second.id
    world.run("rollback", "--reason", "slow")
    assert world.serving() == first.id
    assert [(pull["merged"], len(pull["title"]) > 0) for pull in world.hub.pulls.values()] == [(True, True)] * 3
    assert Counter(world.kinds())["promoted"] == 2
    names = Counter((check["name"], check["head_sha"], check["conclusion"]) for check in world.hub.checks)
    assert set(names.values()) == {1}
    assert len({comment["body"] for comment in world.hub.comments}) == len(world.hub.comments)
    assert world.open_pulls() == {}
    world.require_settled()
