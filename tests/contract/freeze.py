"""`python -m tests.contract.freeze [TAG]`: what teams have who began with that release (or with this checkout).

Renders every template with the code of the tag itself into `rendered/`, without the data. The tests next to this hold
the present code against it wherever the clone has no tags to render from, as most clones that CI makes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[2]
FROZEN = Path(__file__).parent / "rendered"
ORIGIN = "ORIGIN"
DATA = (".parquet", ".csv")


def render_all(code: Path, destination: Path) -> None:
    """Every template of the toolkit in the folder `code`, rendered by that code into a folder of its kind."""
    for template in sorted(code.glob("templates/*/template.yaml")):
        kind = template.parent.name
        subprocess.run(
            [sys.executable, "-m", "mlops_ci", "init", kind, str(destination / kind), "--defaults", "--quiet"],
            cwd=code, env={**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip


def export(tag: str, destination: Path) -> None:
    """The files of the tag."""
    archive = subprocess.run(["git", "archive", tag], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(destination, filter="data")


def freeze(tag: str = "") -> None:
    with tempfile.TemporaryDirectory() as scratch:
        code = ROOT
        if tag:
            code = Path(scratch) / "code"
            export(tag, code)
        rendered = Path(scratch) / "rendered"
        render_all(code, rendered)
        for path in rendered.rglob("*"):
            if path.suffix in DATA:
                path.unlink()
        shutil.rmtree(FROZEN, ignore_errors=True)
        shutil.copytree(rendered, FROZEN)
    (FROZEN / ORIGIN).write_text(f"{tag or 'before the first release'}\n", encoding="utf-8")


if __name__ == "__main__":
    freeze(*sys.argv[1:2])
