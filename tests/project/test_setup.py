"""The scripts in .ci: what can be seen without installing anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def setup(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(ROOT / ".ci" / "setup"), *arguments]
    return subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("arguments", [["--install"], ["--installed", "twice"], ["--help"]], ids=" ".join)
def test_anything_but_its_one_option_gets_the_usage(arguments: list[str]) -> None:
    done = setup(*arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
    assert "--installed" in done.stderr


@pytest.mark.parametrize("says", ["exit 1", "exit 127"], ids=["too old", "does not run"])
def test_a_python_that_cannot_be_used_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    python = tmp_path / "python3.10"
    python.write_text(f"#!/bin/sh\n{says}\n")
    python.chmod(0o755)
    monkeypatch.setenv("PYTHON", str(python))

    done = setup(cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr == f"setup: error: PYTHON={python} is not a Python 3.11 or newer that runs\n"
