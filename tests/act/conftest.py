"""The toolkit's copy, and one team of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.act.toolkit import export


@pytest.fixture(scope="session")
def toolkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This work tree as `mlops-ci/mlops-ci@v1`."""
    return export(tmp_path_factory.mktemp("toolkit"))
