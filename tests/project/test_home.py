"""What tests/conftest.py promises to every test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOREIGN = {"AWS_PROFILE": "work", "GITHUB_TOKEN": "secret", "GIT_DIR": "/elsewhere", "MLOPS_STORE": "s3://real"}
PROBE = """
import os, subprocess
from pathlib import Path

def test_home(home, tmp_path):
    assert Path.home() == home != Path(os.environ["OUTER_HOME"])
    assert not {"AWS_PROFILE", "GITHUB_TOKEN", "GIT_DIR", "MLOPS_STORE"} & set(os.environ)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "commit", "--quiet", "--allow-empty", "-m", "first"], check=True)
    log = subprocess.check_output(["git", "-C", tmp_path, "log", "--format=%an <%ae> %D"], text=True)
    assert log == "A Tester <tester@example.com> HEAD -> main\\n"
"""


def test_a_test_has_its_own_home_and_identity_and_nothing_of_the_outside(tmp_path: Path, home: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_probe.py").write_text(PROBE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **FOREIGN, "OUTER_HOME": str(home)},
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
