"""Nothing that teams call is left out of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.act.events import read
from tests.act.toolkit import ROOT

REUSABLE = sorted(
    file.stem for file in (ROOT / ".github" / "workflows").glob("*.yml") if "workflow_call" in read(file)["on"]
)
KINDS = sorted(file.parent.name for file in (ROOT / "templates").glob("*/template.yaml"))
SAID = "".join(
    file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py") if file != Path(__file__)
)


@pytest.mark.parametrize("name", [*REUSABLE, *KINDS])
def test_it_is_run_by_a_test(name: str) -> None:
    assert f'"{name}"' in SAID or f": {name}" in SAID, f"no test in tests/act runs {name}"
