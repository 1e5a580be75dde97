"""Repositories as `mlops-ci init` renders them, with less data: what is tested here is the way, not the model."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pandas as pd

from mlops_ci.cli.main import main

MOST_ROWS = 1500
QUICK = (
    ("rollout: {steps: [10, 50, 100], window: 2s}", "rollout: {steps: [50, 100], window: 0s}"),
    ("environments:\n", "verification: {rate: 200, duration: 0s, latency_p99_ms: 5000}\nenvironments:\n"),
)
"""What others test: how long a rollout looks at each step, and what load a service bears."""


def rendered(kind: str, folder: Path, *answers: str) -> Path:
    """The template with its defaults, but for the answers."""
    said = io.StringIO()
    options = [f"--answer={answer}" for answer in answers]
    with redirect_stdout(said):
        code = main(["init", kind, folder.name, "--defaults", *options, "-C", str(folder.parent)])
    assert code == 0, said.getvalue()
    return folder


def thin_out(file: Path, rows: int = MOST_ROWS) -> None:
    """Keeps every n-th row of a data file, in their order."""
    read, write = (pd.read_parquet, "to_parquet") if file.suffix == ".parquet" else (pd.read_csv, "to_csv")
    frame = read(file)
    frame = frame.iloc[:: max(1, len(frame) // rows)]
    getattr(frame, write)(file, index=False)


def replace(file: Path, *pairs: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for before, after in pairs:
        assert text.count(before) == 1, f"{before!r} is {text.count(before)} times in {file.name}"
        text = text.replace(before, after)
    file.write_text(text, encoding="utf-8")
