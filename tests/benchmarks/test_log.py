"""The benchmark of the event log runs, and all its readers find the same state."""

from __future__ import annotations

import pytest

from benchmarks import log
from mlops_ci.pipeline import packs


def test_each_length_has_its_row(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "SIZE", 10)
    log.main(events=(10, 40), models=(3,))

    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [row[1] for row in rows if row[1][0].isdigit()] == ["10", "40", "10", "40", "3"]
