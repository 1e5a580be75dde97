"""`with serving(bare) as hub`: a GitHub that stands in for the real one while the block runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

# each declares what it answers
from tests.github import (  # noqa: F401
    account_routes,
    action_routes,
    check_routes,
    content_routes,
    delivery_routes,
    git_routes,
    issue_routes,
    pull_routes,
    settings_routes,
)
from tests.github.git_store import GitStore
from tests.github.hub import Hub
from tests.github.server import GitHubServer
from tests.github.state import State

PEOPLE: Mapping[str, str] = {"dana": "write", "alice": "write", "bob": "write", "olga": "admin"}


@contextmanager
def serving(
    repository: Path,
    *,
    owner: str = "acme",
    name: str = "models",
    private: bool = True,
    main: str = "main",
    people: Mapping[str, str] = PEOPLE,
    port: int = 0,
) -> Iterator[Hub]:
    """Serves the bare repository as `owner/name` on this machine, with `people` in their roles.

    Raises AssertionError at the end where anything was asked or answered that GitHub's description does not allow.
    """
    with tempfile.TemporaryDirectory() as folder:
        state = State(
            store=GitStore(repository), owner=owner, name=name, main=main, private=private, scratch=Path(folder)
        )
        for login, role in people.items():
            state.account(login, role=role)
        hub = Hub(state, Path(folder))
        with GitHubServer(hub, port) as server:
            hub.attach(server)
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            try:
                yield hub
            finally:
                server.over.set()
                server.shutdown()
                thread.join()
        assert not hub.invalid, "GitHub would not have this:\n" + "\n".join(hub.invalid)
