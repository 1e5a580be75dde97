from __future__ import annotations

from pathlib import Path

import pytest

from tests.handover.handing import Handed, copied, trained


@pytest.fixture(scope="session")
def once_handed(tmp_path_factory: pytest.TempPathFactory) -> Handed:
    """To be copied, and never written to."""
    return trained(tmp_path_factory.mktemp("handed") / "team")


@pytest.fixture
def handed(once_handed: Handed, tmp_path: Path) -> Handed:
    """What a job left that trained the commit that is checked out."""
    return copied(once_handed, tmp_path / "team")
