"""A team with a stand-in of GitHub, for the tests of the stand-in itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.github.hub import Hub
from tests.github.serving import serving
from tests.github.world import Checkout, Client, team


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, Checkout]:
    return team(tmp_path)


@pytest.fixture
def checkout(repository: tuple[Path, Checkout]) -> Checkout:
    return repository[1]


@pytest.fixture
def hub(repository: tuple[Path, Checkout]) -> Iterator[Hub]:
    with serving(repository[0]) as hub:
        yield hub


@pytest.fixture
def job(hub: Hub) -> Client:
    """A job whose token may do whatever a job's token may."""
    return Client(hub=hub, token=hub.token)


@pytest.fixture
def app(hub: Hub) -> Client:
    return Client(hub=hub, token=hub.app_token)
