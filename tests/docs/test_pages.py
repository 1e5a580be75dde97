"""What the documentation tells people to write and to run: it is valid, it runs, and the messages it explains exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.cli.main import build_parser
from tests.tools.messages import is_written, written_texts

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")])


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page, with those of lists set back to the margin."""
    pattern = rf"^(?P<indent> *)```(?:{'|'.join(languages)})\n(?P<body>.*?)^ *```"
    found = re.finditer(pattern, page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{each['indent']}", "", each["body"], flags=re.MULTILINE) for each in found]


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every call of `mlops-ci`, wherever in a line it stands."""
    for line in text.replace("\\\n", " ").splitlines():
        for call in re.findall(r"(?:^|\|\| |&& |\$\(|\s)mlops-ci (?=[a-z-])((?:[^|&;>\n])+)", line.split(" #")[0]):
            yield shlex.split(call.strip().rstrip(")"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one_that_there_is(page: Path) -> None:
    for text in blocks(page, "sh", "bash", "yaml"):
        for arguments in commands(text):
            build_parser().parse_args(arguments)


def test_every_message_that_is_explained_is_one_that_is_written() -> None:
    page = (DOCS / "troubleshooting.md").read_text("utf-8")
    messages = re.findall(r"^\| `([^`]+)`", page, flags=re.MULTILINE)
    assert len(messages) > 20
    assert [message for message in messages if not is_written(message)] == []


def test_a_message_that_nobody_writes_is_found() -> None:
    assert is_written("there is no token for GitHub")
    assert not is_written("there is no token for Gitea")
    assert not is_written("…")
    assert all(isinstance(text, str) for text in written_texts())


def test_a_model_that_came_without_a_template_is_judged(tmp_path: Path) -> None:
    """The files and the commands of existing-model.md, as they stand there."""
    page = DOCS / "existing-model.md"
    files = {text.split("\n", 1)[0].removeprefix("# "): text for text in blocks(page, "python", "yaml")}
    for name, text in files.items():
        if name.startswith("services/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
    _customers(tmp_path / "services" / "churn" / "customers.csv")

    said = _run(blocks(page, "sh")[0], tmp_path)

    assert "churn: first, ships" in said
    assert (tmp_path / "services" / "churn" / "data.schema.yaml").is_file()


@pytest.mark.slow
def test_the_quick_start_runs_as_it_stands(tmp_path: Path) -> None:
    script = "".join(blocks(DOCS / "quick-start.md", "sh"))

    said = _run(script, tmp_path)

    assert "first, ships" in said
    assert "1 of 1 models are touched" in said
    assert (tmp_path / "flight-delay" / ".github" / "workflows").is_dir()


def _customers(path: Path) -> None:
    import numpy as np
    import pandas as pd

    random, rows = np.random.default_rng(0), 1200
    frame = pd.DataFrame(
        {
            "customer": np.arange(rows),
            "months": random.integers(1, 60, rows),
            "spent": random.normal(50, 20, rows).round(2),
            "plan": random.choice(["basic", "more"], rows),
        }
    )
    frame["left"] = (random.random(rows) < 1 / (1 + np.exp(frame["months"] / 15 - 2))).astype(int)
    frame.to_csv(path, index=False)


def _run(script: str, folder: Path) -> str:
    """What a shell prints that runs the block with the toolkit of this checkout; it stops at the first failure."""
    tools = folder / ".bin"
    tools.mkdir(exist_ok=True)
    (tools / "mlops-ci").write_text(f'#!/bin/sh\nexec {sys.executable} -m mlops_ci "$@"\n')
    (tools / "mlops-ci").chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{tools}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout
