from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_ci.adapters.file_lock import locked
from mlops_ci.errors import OutsideError

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from mlops_ci.adapters.file_lock import locked
with locked(Path(sys.argv[1]), what="x"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"

    with locked(path, what="somebody is at work"):
        with (
            pytest.raises(OutsideError, match=rf"somebody is at work \(process {os.getpid()}\)"),
            locked(path, what="somebody is at work"),
        ):
            pytest.fail("two hold the lock")
        with pytest.raises(OutsideError), locked(path, what="somebody is at work", wait=0.1):
            pytest.fail("two hold the lock")

    with locked(path, what="somebody is at work"):
        pass


def test_it_names_the_process_and_is_free_when_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OutsideError, match=rf"\(process {holder.pid}\)"), locked(path, what="taken"):
            pytest.fail("two hold the lock")
    finally:
        holder.kill()
        holder.communicate()

    with locked(path, what="taken"):
        assert path.read_text() == str(os.getpid())


def test_an_error_within_gives_it_back(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "lock", what="x"):
        raise KeyError

    with locked(tmp_path / "lock", what="x"):
        pass
