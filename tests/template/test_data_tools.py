"""The data of the templates are what `tools/make_*_data.py` make, byte by byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.repository import ROOT


@pytest.mark.parametrize(
    ("tool", "out", "count"),
    [
        ("make_flights_data.py", "tabular-classification/data", 4),
        ("make_air_time_data.py", "", 8),
        ("make_rain_data.py", "batch-scoring", 11),
    ],
)
def test_the_same_source_gives_the_same_bytes(tmp_path: Path, tool: str, out: str, count: int) -> None:
    subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "tools" / tool), "--out", str(tmp_path / out)],
        check=True, capture_output=True,
    )  # fmt: skip
    made = sorted(path for path in tmp_path.rglob("*.parquet"))
    assert len(made) == count
    for path in made:
        assert path.read_bytes() == (ROOT / "templates" / path.relative_to(tmp_path)).read_bytes(), path.name
